//! What must be true, as simple as possible: lists and sets, no timers, and no order except that of the numbers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use portpool::call::{CallId, OnCancel, WorkerId};
use portpool::pool::{Action, Core, Counts, Demand, KillCause, Placement, Purpose, Refusal, Run, Settings};

use super::pipe::Pipe;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Starting,
    Idle,
    Leased,
    Busy(CallId),
    Stopping,
}

#[derive(Clone, Copy, Debug)]
pub struct Worker {
    pub phase: Phase,
    pub generation: u64,
    /// Calls it has got, those of leases too.
    pub taken: u64,
    pub lease: Option<CallId>,
    /// It must go without having been replaced: it is broken, its lease was cut off, or it has run all its calls.
    pub exhausted: bool,
    /// It was asked whether it is alive, and has not answered.
    pub pinged: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Waiting,
    Resting,
    Running(WorkerId),
    /// A checkout that was granted.
    Holding(WorkerId),
    /// Cancelled, and left to finish.
    Abandoned,
    /// Sent to this worker before its time: it waits.
    Ahead(WorkerId),
}

impl Stage {
    pub fn waits(self) -> bool {
        matches!(self, Self::Waiting | Self::Ahead(_))
    }
}

#[derive(Clone, Debug)]
pub struct Ask {
    pub demand: Demand,
    pub stage: Stage,
    pub arrived: Instant,
    pub waits_since: Instant,
    pub runs_since: Instant,
    pub interrupted: Option<Instant>,
}

impl Ask {
    pub fn new(now: Instant, demand: Demand) -> Self {
        let (stage, arrived, waits_since, runs_since) = (Stage::Waiting, now, now, now);
        Self { demand, stage, arrived, waits_since, runs_since, interrupted: None }
    }

    pub fn run(&self) -> Option<&Run> {
        match &self.demand.purpose {
            Purpose::Run(run) => Some(run),
            Purpose::Lease(_) => None,
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.demand.deadline.map(|limit| self.arrived + limit)
    }

    pub fn expires(&self) -> Option<Instant> {
        let expires = self.demand.checkout_timeout.map(|limit| self.waits_since + limit);
        expires.into_iter().chain(self.deadline()).min()
    }

    /// When it must be over, if it runs: with its grace, if that has begun.
    fn must_end(&self) -> Option<Instant> {
        let run = self.run()?;
        if let Some(at) = self.interrupted {
            return Some(at + run.grace);
        }
        run.timeout.map(|limit| self.runs_since + limit).into_iter().chain(self.deadline()).min()
    }
}

pub struct Model {
    pub settings: Settings,
    pub now: Instant,
    pub workers: BTreeMap<WorkerId, Worker>,
    /// What has not ended.
    pub asks: BTreeMap<CallId, Ask>,
    /// What has.
    pub over: BTreeSet<CallId>,
    pub homes: BTreeMap<u64, WorkerId>,
    pub kills: BTreeMap<u64, u32>,
    /// Workers that died since a call was last finished.
    pub deaths: u32,
    pub reloads: BTreeSet<CallId>,
    pub generation: u64,
    pub draining: bool,
    pub drained: bool,
    /// Calls whose rest has ended in this step, at which moment of it only the core knows.
    pub woken: BTreeSet<CallId>,
    pub pipes: BTreeMap<WorkerId, Pipe>,
    /// What was taken back and is to be reported.
    pub taken: VecDeque<(WorkerId, Vec<CallId>)>,
}

impl Model {
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            now: Instant::now(),
            workers: BTreeMap::new(),
            asks: BTreeMap::new(),
            over: BTreeSet::new(),
            homes: BTreeMap::new(),
            kills: BTreeMap::new(),
            deaths: 0,
            reloads: BTreeSet::new(),
            generation: 1,
            draining: false,
            drained: false,
            woken: BTreeSet::new(),
            pipes: BTreeMap::new(),
            taken: VecDeque::new(),
        }
    }

    fn slots(&self) -> usize {
        self.settings.size + self.settings.max_overflow
    }

    fn count(&self, wanted: impl Fn(&Worker) -> bool) -> usize {
        self.workers.values().filter(|worker| wanted(worker)).count()
    }

    fn in_stage(&self, wanted: impl Fn(Stage) -> bool) -> impl Iterator<Item = (CallId, &Ask)> {
        self.asks.iter().filter(move |(_, ask)| wanted(ask.stage)).map(|(id, ask)| (*id, ask))
    }

    /// Whether this worker, free as it is, can take this call.
    fn fits(&self, worker: WorkerId, ask: &Ask) -> bool {
        match ask.demand.placement {
            Placement::Any => true,
            Placement::Key(key) => self.homes.get(&key).is_none_or(|home| *home == worker),
            Placement::Worker(wanted) => wanted == worker,
            Placement::Lease(lease) => self.workers[&worker].lease == Some(lease),
        }
    }

    pub fn take(&mut self, action: Action) {
        match action {
            Action::StartWorker { worker, generation } => self.start(worker, generation),
            Action::Dispatch(worker, call) => self.dispatch(worker, call),
            Action::Prefetch(worker, call) => self.prefetch(worker, call),
            Action::Begin(worker, call) => self.begin(worker, call),
            Action::TakeBack(worker) => self.take_back(worker),
            Action::Grant(worker, lease) => self.grant(worker, lease),
            Action::LeaseEnded(lease) => self.lease_ended(lease),
            Action::PingWorker(worker) => self.ping(worker),
            Action::InterruptWorker(worker) => self.interrupt(worker),
            Action::RetireWorker(worker) => self.retire(worker),
            Action::TerminateWorker(worker) => self.set_state(worker, Phase::Stopping, Phase::Stopping),
            Action::KillWorker(worker, cause) => self.kill(worker, cause),
            Action::Refuse(call, refusal) => self.refuse(call, refusal),
            Action::Reloaded(call) => {
                assert!(self.reloads.remove(&call), "a reload is answered once");
                let ready = self.workers.values().filter(|worker| worker.phase != Phase::Starting);
                self.generation = ready.map(|worker| worker.generation).max().unwrap_or(1);
            }
            Action::Drained => {
                assert!(self.draining && self.workers.is_empty() && !self.drained);
                self.drained = true;
            }
        }
    }

    fn set_state(&mut self, worker: WorkerId, from: Phase, to: Phase) {
        let worker = self.workers.get_mut(&worker).expect("lives");
        assert_eq!(worker.phase, from);
        worker.phase = to;
    }

    fn ping(&mut self, id: WorkerId) {
        let worker = self.workers.get_mut(&id).expect("lives");
        assert!(worker.phase == Phase::Idle && !worker.pinged, "only a worker that is idle is asked, and once");
        worker.pinged = true;
    }

    fn start(&mut self, id: WorkerId, generation: u64) {
        let all = self.workers.len();
        assert!(!self.draining, "nothing starts in a pool that drains");
        let candidates = usize::from(generation > self.generation);
        assert!(all <= self.slots() + candidates, "started the {}th worker of {}", all + 1, self.slots());
        let starting = self.count(|worker| worker.phase == Phase::Starting && worker.generation <= self.generation);
        assert!(generation > self.generation || starting < self.settings.max_starting, "too many starts at once");
        let worker =
            Worker { phase: Phase::Starting, generation, taken: 0, lease: None, exhausted: false, pinged: false };
        assert!(self.workers.insert(id, worker).is_none(), "{id:?} started twice");
    }

    fn dispatch(&mut self, id: WorkerId, call: CallId) {
        let ask = &self.asks[&call];
        assert_eq!(ask.stage, Stage::Waiting, "a call that is dispatched waits");
        assert!(ask.deadline().is_none_or(|at| at > self.now), "a call never runs whose deadline is over");
        let kills = ask.run().and_then(|run| self.kills.get(&run.fingerprint?)).copied().unwrap_or_default();
        assert!(self.settings.quarantine == 0 || kills < self.settings.quarantine, "{call} has killed {kills}");
        let worker = self.workers[&id];
        let free = if matches!(ask.demand.placement, Placement::Lease(_)) { Phase::Leased } else { Phase::Idle };
        assert_eq!(worker.phase, free, "a call is bound to a worker that is free for it");
        assert!(self.fits(id, ask), "{call} runs where it did not want to");
        let answers = |other: &Worker| other.phase == Phase::Idle && !other.pinged;
        let is_free = ask.demand.placement == Placement::Any;
        assert!(!worker.pinged || !is_free || self.count(answers) == 0, "another worker is known to be alive");
        self.is_first(id, call);
        self.settle(id, call);
        let pipe = self.pipes.entry(id).or_default();
        assert!(pipe.sent.is_empty(), "{call} is the only one in the pipe of {id:?}");
        pipe.sent.push_back(call);
        self.runs(id, call);
    }

    /// A worker is busy with this call now.
    fn runs(&mut self, id: WorkerId, call: CallId) {
        let worker = self.workers.get_mut(&id).unwrap();
        worker.phase = Phase::Busy(call);
        worker.taken += 1;
        if let Some(most) = self.settings.max_calls {
            worker.exhausted |= worker.taken >= most - most / 10;
            assert!(worker.taken <= most || worker.lease.is_some(), "one call more than max_calls");
        }
        let ask = self.asks.get_mut(&call).unwrap();
        (ask.stage, ask.runs_since, ask.interrupted) = (Stage::Running(id), self.now, None);
    }

    fn prefetch(&mut self, id: WorkerId, call: CallId) {
        let (ask, worker) = (&self.asks[&call], self.workers[&id]);
        assert_eq!(ask.stage, Stage::Waiting, "a call that is sent ahead waits");
        assert!(ask.expires().is_none_or(|at| at > self.now), "a call that waits no longer is not sent ahead");
        assert!(ask.demand.brief.is_some() && self.settings.prefetch.is_some() && !self.draining);
        assert!(matches!(worker.phase, Phase::Busy(_)) && worker.lease.is_none() && !worker.exhausted);
        assert!(self.fits(id, ask), "{call} is sent to where it did not want to");
        assert!(!matches!(ask.demand.placement, Placement::Key(key) if !self.homes.contains_key(&key)));
        self.is_first(id, call);
        let pipe = self.pipes.get_mut(&id).unwrap();
        assert!((1..16).contains(&pipe.sent.len()), "15 at most");
        if pipe.sent.len() == 1 {
            pipe.moved = Some(self.now);
        }
        pipe.sent.push_back(call);
        let (ahead, most) = (pipe.sent.len() as u64, self.settings.max_calls);
        assert!(most.is_none_or(|most| worker.taken + ahead - 1 < most), "more than it may take");
        self.asks.get_mut(&call).unwrap().stage = Stage::Ahead(id);
    }

    fn begin(&mut self, id: WorkerId, call: CallId) {
        assert_eq!((self.asks[&call].stage, self.pipes[&id].sent[0]), (Stage::Ahead(id), call));
        self.pipes.get_mut(&id).unwrap().moved = Some(self.now);
        self.runs(id, call);
    }

    fn take_back(&mut self, id: WorkerId) {
        let calls = self.pipes.get_mut(&id).unwrap().take_back();
        self.taken.push_back((id, calls));
    }

    fn grant(&mut self, id: WorkerId, lease: CallId) {
        let ask = &self.asks[&lease];
        assert_eq!((ask.stage, self.workers[&id].phase), (Stage::Waiting, Phase::Idle));
        self.is_first(id, lease);
        self.settle(id, lease);
        let worker = self.workers.get_mut(&id).unwrap();
        (worker.phase, worker.lease) = (Phase::Leased, Some(lease));
        let ask = self.asks.get_mut(&lease).unwrap();
        ask.stage = Stage::Holding(id);
    }

    fn is_first(&self, worker: WorkerId, call: CallId) {
        let expired = |ask: &Ask| ask.expires().is_some_and(|at| at <= self.now);
        let leased = self.workers[&worker].lease;
        let same = |ask: &Ask| {
            matches!(ask.demand.placement, Placement::Lease(lease) if Some(lease) == leased) == leased.is_some()
        };
        let mut before = self.in_stage(|stage| stage == Stage::Waiting).take_while(|(id, _)| *id < call);
        let first =
            before.find(|(id, ask)| same(ask) && self.fits(worker, ask) && !expired(ask) && !self.woken.contains(id));
        assert!(first.is_none(), "first come, first served: {call} before {first:?}");
    }

    fn settle(&mut self, worker: WorkerId, call: CallId) {
        if let Placement::Key(key) = self.asks[&call].demand.placement {
            self.homes.insert(key, worker);
        }
    }

    fn lease_ended(&mut self, lease: CallId) {
        let ask = self.asks.remove(&lease).expect("a lease that ends was held");
        let Stage::Holding(worker) = ask.stage else { panic!("the lease {lease} was not held: {:?}", ask.stage) };
        self.over.insert(lease);
        if let Some(worker) = self.workers.get_mut(&worker) {
            worker.lease = None;
            // The bench has turned one that was checked in to idle: this one was cut off.
            worker.exhausted |= worker.phase == Phase::Leased;
        }
    }

    fn interrupt(&mut self, worker: WorkerId) {
        let Phase::Busy(call) = self.workers[&worker].phase else { panic!("only a busy worker is interrupted") };
        let ask = self.asks.get_mut(&call).unwrap();
        assert!(ask.interrupted.is_none() && !ask.run().unwrap().grace.is_zero());
        ask.interrupted = Some(self.now);
    }

    fn retire(&mut self, id: WorkerId) {
        let worker = self.workers.get_mut(&id).unwrap();
        assert!(matches!(worker.phase, Phase::Idle | Phase::Leased), "retired while {:?}", worker.phase);
        worker.phase = Phase::Stopping;
        let exhausted = worker.exhausted || self.draining;
        self.homes.retain(|_, home| *home != id);
        let useful = self.count(|worker| worker.phase != Phase::Stopping);
        assert!(exhausted || useful >= self.settings.size, "retired below size");
    }

    fn kill(&mut self, id: WorkerId, cause: KillCause) {
        let worker = self.workers.get_mut(&id).expect("only a worker that lives is killed");
        if cause == KillCause::Silent {
            assert!(worker.pinged);
            if matches!(worker.phase, Phase::Busy(_)) {
                // What becomes of its call depends on whether it had read it when it died.
                worker.exhausted = true;
                return;
            }
        }
        let before = std::mem::replace(&mut worker.phase, Phase::Stopping);
        match cause {
            KillCause::StartTimeout | KillCause::Superseded => assert_eq!(before, Phase::Starting),
            KillCause::Timeout | KillCause::Cancelled | KillCause::LeaseEnded => {
                assert!(matches!(before, Phase::Busy(_)), "{cause:?} while {before:?}");
            }
            KillCause::RetireTimeout => assert_eq!(before, Phase::Stopping),
            KillCause::Silent => assert!(matches!(before, Phase::Idle | Phase::Leased)),
            KillCause::DrainTimeout => assert!(self.draining),
        }
        self.homes.retain(|_, home| *home != id);
        if let Phase::Busy(call) = before {
            self.forget_abandoned(call);
        }
    }

    /// The end of a call that nobody waits for.
    pub fn forget_abandoned(&mut self, call: CallId) -> bool {
        let is_abandoned = self.asks.get(&call).is_some_and(|ask| ask.stage == Stage::Abandoned);
        if is_abandoned {
            self.asks.remove(&call);
            self.over.insert(call);
        }
        is_abandoned
    }

    fn refuse(&mut self, id: CallId, refusal: Refusal) {
        if let Refusal::ReloadFailed = refusal {
            return assert!(self.reloads.remove(&id), "a reload is answered once");
        }
        if self.reloads.remove(&id) {
            return assert_eq!(refusal, Refusal::Draining);
        }
        let ask = self.asks.get(&id).unwrap_or_else(|| panic!("{id} ended twice")).clone();
        let stopped = |worker| self.workers.get(&worker).is_none_or(|worker: &Worker| worker.phase == Phase::Stopping);
        let waits = matches!(ask.stage, Stage::Waiting | Stage::Resting);
        let is_over = ask.must_end().is_some_and(|at| at <= self.now);
        let mut is_abandoned = false;
        match refusal {
            Refusal::QueueFull => {
                let others = self.in_stage(Stage::waits).filter(|(other, _)| *other != id);
                let (calls, bytes) = others.fold((0, 0), |sum, (_, ask)| (sum.0 + 1, sum.1 + ask.demand.bytes));
                let starting = self.count(|worker| worker.phase == Phase::Starting);
                let room = self.settings.max_queue + starting + self.slots().saturating_sub(self.workers.len());
                let full = calls >= room || bytes + ask.demand.bytes > self.settings.max_queue_bytes;
                assert!(waits && full, "refused although there is room: {calls} calls, {bytes} bytes");
            }
            Refusal::CheckoutTimeout => assert!(waits && ask.expires().is_some_and(|at| at <= self.now), "too early"),
            Refusal::CrashLoop => {
                assert!(waits && self.deaths >= 5, "no crash loop after {} deaths", self.deaths);
                let serves = |worker: &Worker| !matches!(worker.phase, Phase::Starting | Phase::Stopping);
                assert!(self.count(serves) == 0, "refused beside a worker that serves");
            }
            Refusal::CancelledWaiting => assert!(waits),
            Refusal::Timeout(worker) => assert!(stopped(worker) && is_over, "stopped before its time"),
            Refusal::CancelledRunning(worker) => {
                assert_eq!(ask.stage, Stage::Running(worker));
                let finishes = ask.run().unwrap().on_cancel == OnCancel::Finish && !stopped(worker);
                assert!(finishes || stopped(worker), "the worker is killed before anything is said");
                is_abandoned = finishes;
            }
            Refusal::WorkerExit(worker) | Refusal::Undelivered { worker, .. } => {
                assert!(!self.workers.contains_key(&worker))
            }
            Refusal::Quarantined { kills, .. } => {
                let fingerprint = ask.run().unwrap().fingerprint.unwrap();
                assert!(waits && kills >= self.settings.quarantine && self.kills[&fingerprint] >= kills);
            }
            Refusal::LeaseLost => {
                let Placement::Lease(lease) = ask.demand.placement else { panic!("no call of a lease") };
                // The calls that wait in it go just before it does.
                assert!(waits || self.over.contains(&lease), "the lease is held");
            }
            Refusal::LeaseLostRunning(worker) => assert!(stopped(worker)),
            Refusal::WorkerGone(worker) => assert!(waits && stopped(worker)),
            Refusal::Draining => assert!(waits && self.draining),
            Refusal::DrainTimeout(worker) => assert!(self.draining && stopped(worker)),
            Refusal::ReloadFailed => unreachable!(),
        }
        if is_abandoned {
            let ask = self.asks.get_mut(&id).unwrap();
            ask.stage = Stage::Abandoned;
        } else {
            self.end(id);
        }
    }

    /// A call has its one outcome.
    pub fn end(&mut self, id: CallId) {
        let ask = self.asks.remove(&id).expect("it ends once");
        assert_ne!(ask.stage, Stage::Abandoned, "{id:?} ended twice");
        self.over.insert(id);
    }

    pub fn check(&self, core: &Core) {
        let counts = Counts {
            starting: self.count(|worker| worker.phase == Phase::Starting),
            idle: self.count(|worker| worker.phase == Phase::Idle),
            busy: self.count(|worker| matches!(worker.phase, Phase::Busy(_) | Phase::Leased)),
            stopping: self.count(|worker| worker.phase == Phase::Stopping),
        };
        assert_eq!(core.counts(), counts);
        for (id, worker) in &self.workers {
            if let Phase::Busy(call) = worker.phase {
                let stage = self.asks[&call].stage;
                assert!(stage == Stage::Running(*id) || stage == Stage::Abandoned, "{id:?} runs {call}: {stage:?}");
            }
        }
        for (id, ask) in &self.asks {
            match ask.stage {
                Stage::Waiting => self.check_waiting(*id, ask),
                Stage::Running(worker) => {
                    assert_eq!(self.workers[&worker].phase, Phase::Busy(*id));
                    // Its answer may be on the way.
                    let answered = self.pipes[&worker].answered > 0;
                    assert!(answered || ask.must_end().is_none_or(|at| at > self.now), "{id} runs past its limit");
                }
                Stage::Ahead(worker) => self.check_ahead(*id, worker, ask),
                Stage::Holding(worker) => assert_eq!(self.workers[&worker].lease, Some(*id)),
                Stage::Resting | Stage::Abandoned => {}
            }
        }
        let waiting: Vec<usize> = self.in_stage(Stage::waits).map(|(_, ask)| ask.demand.bytes).collect();
        assert_eq!(core.waiting(), (waiting.len(), waiting.iter().sum()));
        assert_eq!(core.leased(), self.count(|worker| worker.lease.is_some()));
    }

    /// A call that its worker has not read is behind another one for no more than a millisecond, and not too long.
    fn check_ahead(&self, id: CallId, worker: WorkerId, ask: &Ask) {
        let pipe = &self.pipes[&worker];
        let place = pipe.sent.iter().position(|sent| *sent == id).expect("it is in the pipe");
        if place >= pipe.read.max(1) && self.workers[&worker].phase != Phase::Stopping {
            assert!(pipe.moved.unwrap() + ms(1) > self.now, "{id} is stuck behind another call");
            assert!(ask.expires().is_none_or(|at| at > self.now), "{id} waits past its limit");
        }
    }

    fn check_waiting(&self, id: CallId, ask: &Ask) {
        assert!(ask.expires().is_none_or(|at| at > self.now), "{id} waits past its limit");
        let phase = if matches!(ask.demand.placement, Placement::Lease(_)) { Phase::Leased } else { Phase::Idle };
        let free = self.workers.iter().find(|(worker, entry)| entry.phase == phase && self.fits(**worker, ask));
        assert!(free.is_none(), "{id} waits beside a worker that is free for it: {free:?}");
    }
}

/// Milliseconds, for settings and demand.
pub fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
