//! The core next to the model, and what has happened to both so far.

use std::time::Instant;

use portpool::call::{CallId, OnCancel, WorkerId};
use portpool::config::Strategy;
use portpool::pool::{Action, Core, Demand, Event, Placement, Purpose, Run, Settings};
use proptest::sample::Index;

use super::model::{Ask, Model, Phase, Stage, ms};

pub struct Bench {
    pub core: Core,
    pub model: Model,
    next: u64,
    began: Instant,
    /// What happened when, and what came of it.
    pub history: Vec<(Instant, Event, Vec<Action>)>,
}

/// A pool of two with nothing special.
pub fn plain() -> Settings {
    Settings {
        size: 2,
        max_overflow: 0,
        overflow_ttl: ms(50),
        strategy: Strategy::Lifo,
        start_timeout: ms(80),
        max_starting: 4,
        max_queue: 100,
        max_queue_bytes: 1000,
        max_calls: None,
        max_age: None,
        idle_check: None,
        quarantine: 3,
        prefetch: None,
        seed: 7,
    }
}

/// Any worker, for a call without limits.
pub fn demand() -> Demand {
    let run = Run { timeout: None, grace: ms(0), on_cancel: OnCancel::Kill, retry: 0, fingerprint: None };
    Demand {
        bytes: 1,
        checkout_timeout: None,
        deadline: None,
        placement: Placement::Any,
        purpose: Purpose::Run(run),
        brief: None,
    }
}

impl Bench {
    pub fn new(settings: Settings) -> Self {
        let model = Model::new(settings.clone());
        let began = model.now;
        let mut bench = Self { core: Core::new(settings), model, next: 1, began, history: Vec::new() };
        bench.happen(Event::TimePassed);
        bench
    }

    pub fn happen(&mut self, event: Event) {
        self.tell(event);
        // What is taken back is reported before anything else happens.
        while let Some((worker, calls)) = self.model.taken.pop_front() {
            for call in &calls {
                // The call of a worker that was killed has ended.
                let Some(ask) = self.model.asks.get_mut(call) else { continue };
                if std::mem::replace(&mut ask.stage, Stage::Waiting) == Stage::Running(worker) {
                    self.model.workers.get_mut(&worker).unwrap().taken -= 1;
                }
            }
            self.tell(Event::TakenBack { worker, calls });
        }
        self.model.check(&self.core);
    }

    fn tell(&mut self, event: Event) {
        let mut actions = Vec::new();
        self.history.push((self.model.now, event.clone(), Vec::new()));
        self.core.handle(self.model.now, event, &mut actions);
        if let Some((_, _, came)) = self.history.last_mut() {
            came.clone_from(&actions);
        }
        self.rest();
        actions.into_iter().for_each(|action| self.model.take(action));
    }

    /// One line for each event.
    pub fn told(&self) -> String {
        let line = |(at, event, actions): &(Instant, Event, Vec<Action>)| {
            format!("{:>6} ms  {event:?} -> {actions:?}\n", (*at - self.began).as_millis())
        };
        self.history.iter().map(line).collect()
    }

    pub fn pass(&mut self, time: u64) {
        self.model.now += ms(time);
        self.happen(Event::TimePassed);
    }

    /// When a rest begins and ends is a matter of chance, which only the core knows.
    fn rest(&mut self) {
        self.model.woken.clear();
        for (id, ask) in &mut self.model.asks {
            match (ask.stage, self.core.is_retrying(*id)) {
                (Stage::Waiting, true) => ask.stage = Stage::Resting,
                (Stage::Resting, false) => {
                    (ask.stage, ask.waits_since) = (Stage::Waiting, self.model.now);
                    self.model.woken.insert(*id);
                }
                _ => {}
            }
        }
    }

    pub fn number(&mut self) -> CallId {
        self.next += 1;
        CallId(self.next - 1)
    }

    pub fn arrive(&mut self, demand: Demand) -> CallId {
        let id = self.number();
        let now = self.model.now;
        let ask = Ask::new(now, demand.clone());
        self.model.asks.insert(id, ask);
        self.happen(Event::CallArrived(id, demand));
        id
    }

    pub fn ready(&mut self, worker: WorkerId) {
        // What is announced is taken first, so that the worker is free when it is given something.
        self.model.workers.get_mut(&worker).unwrap().phase = Phase::Idle;
        self.happen(Event::WorkerReady(worker));
    }

    pub fn all_ready(&mut self) {
        while let Some(worker) = self.find(|phase| phase == Phase::Starting) {
            self.ready(worker);
        }
    }

    pub fn finish(&mut self, id: WorkerId) {
        let worker = self.model.workers.get_mut(&id).unwrap();
        let Phase::Busy(call) = worker.phase else { panic!("it was busy") };
        let pipe = self.model.pipes.get_mut(&id).unwrap();
        while pipe.answered == 0 {
            pipe.advance();
        }
        assert_eq!(pipe.sent.pop_front(), Some(call));
        (pipe.read, pipe.answered) = (pipe.read - 1, pipe.answered - 1);
        worker.phase = if worker.lease.is_some() { Phase::Leased } else { Phase::Idle };
        worker.pinged = false;
        if !self.model.forget_abandoned(call) {
            self.model.end(call);
        }
        self.model.deaths = 0;
        self.happen(Event::CallFinished(id, call));
    }

    /// The worker reads or answers a call, and the core does not know of it.
    pub fn advance(&mut self, id: WorkerId) {
        self.model.pipes.entry(id).or_default().advance();
    }

    pub fn answer(&mut self, worker: WorkerId) {
        self.model.workers.get_mut(&worker).unwrap().pinged = false;
        self.happen(Event::WorkerAnswered(worker));
    }

    pub fn check_in(&mut self, lease: CallId, broken: bool) {
        if let Some(Ask { stage: Stage::Holding(worker), .. }) = self.model.asks.get(&lease) {
            let worker = self.model.workers.get_mut(worker).unwrap();
            worker.exhausted |= broken;
            if worker.phase == Phase::Leased {
                worker.phase = Phase::Idle;
            }
        }
        self.happen(Event::CheckedIn { lease, broken });
    }

    pub fn spoil(&mut self, id: WorkerId) {
        let worker = self.model.workers.get_mut(&id).unwrap();
        worker.exhausted = true;
        if worker.phase == Phase::Leased {
            worker.phase = Phase::Idle;
        }
        self.happen(Event::WorkerSpoiled(id));
    }

    pub fn cancel(&mut self, call: CallId) {
        self.happen(Event::CallCancelled(call));
    }

    pub fn reload(&mut self) {
        let call = self.number();
        self.model.reloads.insert(call);
        self.happen(Event::ReloadAsked(call));
    }

    pub fn resize(&mut self, size: usize) {
        self.model.settings.size = size;
        self.happen(Event::Resized(size));
    }

    pub fn drain(&mut self, limit: Option<u64>) {
        self.model.draining = true;
        self.happen(Event::DrainAsked(limit.map(ms)));
    }

    pub fn die(&mut self, id: WorkerId, undelivered: bool) {
        let is_busy =
            |bench: &Self| bench.model.workers.get(&id).is_some_and(|worker| matches!(worker.phase, Phase::Busy(_)));
        // What it has answered arrives first.
        while is_busy(self) && self.model.pipes[&id].answered > 0 {
            self.finish(id);
        }
        let mut pipe = self.model.pipes.remove(&id).unwrap_or_default();
        if !undelivered && pipe.read == 0 {
            pipe.advance();
        }
        let read = pipe.running();
        for call in pipe.sent.iter().skip(1).filter(|call| !read.contains(call)) {
            self.model.asks.get_mut(call).unwrap().stage = Stage::Waiting;
        }
        let worker = self.model.workers.remove(&id).unwrap();
        self.model.homes.retain(|_, home| *home != id);
        self.model.deaths += 1;
        if let Phase::Busy(call) = worker.phase {
            self.lose(call, !read.contains(&call));
        }
        self.happen(Event::WorkerExited { worker: id, read });
    }

    /// A call whose worker died waits again, unless the actions say that this is its end.
    fn lose(&mut self, call: CallId, undelivered: bool) {
        let ask = &self.model.asks[&call];
        if let Some(fingerprint) = ask.run().and_then(|run| run.fingerprint).filter(|_| !undelivered) {
            *self.model.kills.entry(fingerprint).or_default() += 1;
        }
        if !self.model.forget_abandoned(call) {
            self.model.asks.get_mut(&call).unwrap().stage = Stage::Waiting;
        }
    }

    pub fn find(&self, wanted: impl Fn(Phase) -> bool) -> Option<WorkerId> {
        self.model.workers.iter().find(|(_, worker)| wanted(worker.phase)).map(|(id, _)| *id)
    }

    pub fn pick(&self, index: Index, wanted: fn(Phase) -> bool) -> Option<WorkerId> {
        let among: Vec<WorkerId> =
            self.model.workers.iter().filter(|(_, worker)| wanted(worker.phase)).map(|(id, _)| *id).collect();
        (!among.is_empty()).then(|| *index.get(&among))
    }

    /// From now on all goes well: each call ends, and there are `size` workers again, or none after a drain.
    pub fn settle(&mut self) {
        for _ in 0..10_000 {
            self.live_well(40);
            let counts = self.core.counts();
            let size = if self.model.draining { 0 } else { self.model.settings.size };
            if counts.all() == size && counts.idle == size && self.model.asks.is_empty() {
                assert!(self.model.reloads.is_empty(), "a reload was not answered");
                assert_eq!(self.model.drained, self.model.draining);
                return;
            }
        }
        panic!("the pool does not come back to its size: {:?}", self.core.counts());
    }

    /// Some milliseconds in which all goes well: starts, answers, ends.
    pub fn live_well(&mut self, time: u64) {
        self.pass(time);
        let workers: Vec<WorkerId> = self.model.workers.keys().copied().collect();
        for id in workers {
            if self.model.workers[&id].pinged {
                self.answer(id);
            }
            match self.model.workers[&id].phase {
                Phase::Starting => self.ready(id),
                Phase::Stopping => self.die(id, false),
                Phase::Busy(_) | Phase::Idle | Phase::Leased => {}
            }
        }
        while let Some(worker) = self.find(|phase| matches!(phase, Phase::Busy(_))) {
            self.finish(worker);
        }
        let held = |ask: &&Ask| matches!(ask.stage, Stage::Holding(_));
        let leases: Vec<CallId> = self.model.asks.iter().filter(|(_, ask)| held(ask)).map(|(id, _)| *id).collect();
        leases.into_iter().for_each(|lease| self.check_in(lease, false));
    }
}
