//! The pool's core against a small model: whatever happens in whatever order, its rules hold after each step.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use portpool::call::{CallId, WorkerId};
use portpool::pool::{Action, Core, Counts, Event, KillCause, Refusal, Settings};
use proptest::prelude::*;
use proptest::sample::Index;

/// One thing that happens. An index picks among those it can happen to; where there are none, nothing happens.
#[derive(Clone, Debug)]
enum Op {
    Arrive {
        bytes: usize,
        checkout_timeout: Option<u64>,
        timeout: Option<u64>,
    },
    Cancel(Index),
    GetReady(Index),
    Finish(Index),
    /// Dies by itself, in whatever state.
    Die {
        worker: Index,
        undelivered: bool,
    },
    /// One that was killed or retired is reaped.
    Reap(Index),
    Pass(u64),
    /// Events about workers and calls that are not, or not any more.
    Noise,
}

fn op() -> impl Strategy<Value = Op> {
    let limit = prop_oneof![Just(None), Just(Some(0)), (1u64..60).prop_map(Some)];
    let run = prop_oneof![Just(None), (1u64..60).prop_map(Some)];
    prop_oneof![
        6 => (0usize..40, limit, run).prop_map(|(bytes, checkout_timeout, timeout)| Op::Arrive { bytes, checkout_timeout, timeout }),
        1 => any::<Index>().prop_map(Op::Cancel),
        4 => any::<Index>().prop_map(Op::GetReady),
        4 => any::<Index>().prop_map(Op::Finish),
        1 => (any::<Index>(), any::<bool>()).prop_map(|(worker, undelivered)| Op::Die { worker, undelivered }),
        3 => any::<Index>().prop_map(Op::Reap),
        3 => (0u64..40).prop_map(Op::Pass),
        1 => Just(Op::Noise),
    ]
}

fn settings() -> impl Strategy<Value = Settings> {
    (1usize..5, 0usize..4, 1usize..4, 0usize..6, any::<u64>()).prop_map(
        |(size, max_overflow, max_starting, max_queue, seed)| Settings {
            size,
            max_overflow,
            overflow_ttl: Duration::from_millis(50),
            start_timeout: Duration::from_millis(80),
            max_starting,
            max_queue,
            max_queue_bytes: 100,
            seed,
        },
    )
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Worker {
    Starting,
    Idle,
    Busy(CallId),
    Stopping,
}

#[derive(Clone, Copy, Debug)]
struct Call {
    bytes: usize,
    expires: Option<Instant>,
    timeout: Option<Duration>,
    deadline: Option<Instant>,
}

/// What must be true, kept as simply as possible: lists and sets, no timers, no order of its own but that of the call ids.
struct Model {
    settings: Settings,
    now: Instant,
    workers: BTreeMap<WorkerId, Worker>,
    waiting: BTreeMap<CallId, Call>,
    running: BTreeMap<CallId, Call>,
    ended: BTreeSet<CallId>,
    arrived: u64,
    /// Workers that died since a call was last finished.
    deaths: u32,
}

impl Model {
    fn take(&mut self, action: Action) {
        match action {
            Action::StartWorker(worker) => {
                assert!(self.workers.insert(worker, Worker::Starting).is_none(), "{worker:?} started twice");
            }
            Action::Dispatch(worker, call) => self.dispatch(worker, call),
            Action::RetireWorker(worker) => {
                assert_eq!(
                    self.workers.insert(worker, Worker::Stopping),
                    Some(Worker::Idle),
                    "only an idle worker is retired"
                );
                let useful = self.workers.values().filter(|state| **state != Worker::Stopping).count();
                assert!(useful >= self.settings.size, "retired below size");
            }
            Action::KillWorker(worker, cause) => self.kill(worker, cause),
            Action::Refuse(call, refusal) => self.refuse(call, refusal),
        }
    }

    fn dispatch(&mut self, worker: WorkerId, id: CallId) {
        let (first, mut call) = self.waiting.pop_first().expect("a call that is dispatched waits");
        assert_eq!(first, id, "first come, first served");
        assert!(call.expires.is_none_or(|at| at >= self.now), "an expired call never runs");
        call.deadline = call.timeout.map(|limit| self.now + limit);
        self.running.insert(id, call);
        let before = self.workers.insert(worker, Worker::Busy(id)).expect("a worker that takes a call lives");
        assert_eq!(before, Worker::Idle, "a call is bound to an idle worker only");
    }

    fn kill(&mut self, worker: WorkerId, cause: KillCause) {
        let before = self.workers.insert(worker, Worker::Stopping).expect("only a worker that lives is killed");
        match cause {
            KillCause::StartTimeout => assert_eq!(before, Worker::Starting),
            KillCause::Timeout | KillCause::Cancelled => assert!(matches!(before, Worker::Busy(_))),
            KillCause::RetireTimeout => assert_eq!(before, Worker::Stopping),
        }
    }

    fn refuse(&mut self, id: CallId, refusal: Refusal) {
        assert!(self.ended.insert(id), "{id:?} ended twice");
        let stopped = |worker| self.workers.get(&worker).is_none_or(|state| *state == Worker::Stopping);
        match refusal {
            Refusal::QueueFull => {
                self.waiting.remove(&id).expect("waits");
                let bytes: usize = self.waiting.values().map(|call| call.bytes).sum();
                let slots = self.settings.size + self.settings.max_overflow;
                let starting = self.workers.values().filter(|state| **state == Worker::Starting).count();
                let room = self.settings.max_queue + starting + slots - self.workers.len();
                let full = self.waiting.len() >= room || bytes + 40 > self.settings.max_queue_bytes;
                assert!(full, "refused although there is room: {} calls, {bytes} bytes", self.waiting.len());
            }
            Refusal::CheckoutTimeout => {
                let call = self.waiting.remove(&id).expect("waits");
                assert!(call.expires.is_some_and(|at| at <= self.now), "expired before its time");
            }
            Refusal::CrashLoop => {
                self.waiting.remove(&id).expect("waits");
                assert!(self.deaths >= 5, "no crash loop after {} deaths", self.deaths);
                let serves = |state: &Worker| matches!(state, Worker::Idle | Worker::Busy(_));
                assert!(!self.workers.values().any(serves), "refused beside a worker that serves");
            }
            Refusal::CancelledWaiting => drop(self.waiting.remove(&id).expect("waits")),
            Refusal::Timeout(worker) => {
                let call = self.running.remove(&id).expect("runs");
                assert!(call.deadline.is_some_and(|at| at <= self.now), "stopped before its time");
                assert!(stopped(worker), "the worker is killed before anything is said");
            }
            Refusal::CancelledRunning(worker) => {
                self.running.remove(&id).expect("runs");
                assert!(stopped(worker), "the worker is killed before anything is said");
            }
            Refusal::WorkerExit(worker) => {
                // After the third worker that did not read it, it is given up from the queue of the undelivered.
                self.running.remove(&id).or_else(|| self.waiting.remove(&id)).expect("ran");
                assert!(!self.workers.contains_key(&worker));
            }
        }
    }

    fn check(&self, core: &Core) {
        let count = |wanted: fn(&Worker) -> bool| self.workers.values().filter(|state| wanted(state)).count();
        let counts = Counts {
            starting: count(|state| *state == Worker::Starting),
            idle: count(|state| *state == Worker::Idle),
            busy: count(|state| matches!(state, Worker::Busy(_))),
            stopping: count(|state| *state == Worker::Stopping),
        };
        assert_eq!(core.counts(), counts);
        assert!(counts.all() <= self.settings.size + self.settings.max_overflow, "too many workers: {counts:?}");
        assert!(counts.starting <= self.settings.max_starting, "too many starts at once");
        assert!(self.waiting.is_empty() || counts.idle == 0, "a call waits beside an idle worker");
        assert_eq!(counts.busy, self.running.len(), "each busy worker has one call");
        let bytes: usize = self.waiting.values().map(|call| call.bytes).sum();
        assert_eq!(core.waiting(), (self.waiting.len(), bytes));
        assert!(self.waiting.values().all(|call| call.expires.is_none_or(|at| at > self.now)), "waits past its limit");
        assert!(self.running.values().all(|call| call.deadline.is_none_or(|at| at > self.now)), "runs past its limit");
        assert_eq!(self.waiting.len() + self.running.len() + self.ended.len(), self.arrived as usize, "a call is lost");
    }
}

/// The core and the model beside it.
struct Bench {
    core: Core,
    model: Model,
}

impl Bench {
    fn new(settings: Settings) -> Self {
        let model = Model {
            settings: settings.clone(),
            now: Instant::now(),
            workers: BTreeMap::new(),
            waiting: BTreeMap::new(),
            running: BTreeMap::new(),
            ended: BTreeSet::new(),
            arrived: 0,
            deaths: 0,
        };
        let mut bench = Self { core: Core::new(settings), model };
        bench.happen(Event::TimePassed);
        bench
    }

    fn happen(&mut self, event: Event) {
        let mut actions = Vec::new();
        self.core.handle(self.model.now, event, &mut actions);
        actions.into_iter().for_each(|action| self.model.take(action));
        self.model.check(&self.core);
    }

    fn pick(&self, index: Index, wanted: fn(&Worker) -> bool) -> Option<WorkerId> {
        let among: Vec<WorkerId> =
            self.model.workers.iter().filter(|(_, state)| wanted(state)).map(|(id, _)| *id).collect();
        (!among.is_empty()).then(|| *index.get(&among))
    }

    fn run(&mut self, op: Op) {
        match op {
            Op::Arrive { bytes, checkout_timeout, timeout } => self.arrive(bytes, checkout_timeout, timeout),
            Op::Cancel(index) if self.model.arrived > 0 => {
                let call = CallId(index.index(self.model.arrived as usize) as u64);
                self.happen(Event::CallCancelled(call));
                assert!(self.model.ended.contains(&call), "a cancelled call has ended");
            }
            Op::GetReady(index) => self.with(index, |state| *state == Worker::Starting, Self::get_ready),
            Op::Finish(index) => self.with(index, |state| matches!(state, Worker::Busy(_)), Self::finish),
            Op::Die { worker, undelivered } => {
                if let Some(worker) = self.pick(worker, |_| true) {
                    self.die(worker, undelivered);
                }
            }
            Op::Reap(index) => {
                self.with(index, |state| *state == Worker::Stopping, |bench, worker| bench.die(worker, false))
            }
            Op::Pass(ms) => {
                self.model.now += Duration::from_millis(ms);
                self.happen(Event::TimePassed);
            }
            Op::Noise => self.noise(),
            Op::Cancel(_) => {}
        }
    }

    fn with(&mut self, index: Index, wanted: fn(&Worker) -> bool, what: fn(&mut Self, WorkerId)) {
        if let Some(worker) = self.pick(index, wanted) {
            what(self, worker);
        }
    }

    fn arrive(&mut self, bytes: usize, checkout_timeout: Option<u64>, timeout: Option<u64>) {
        let call = CallId(self.model.arrived);
        self.model.arrived += 1;
        let (checkout_timeout, timeout) =
            (checkout_timeout.map(Duration::from_millis), timeout.map(Duration::from_millis));
        let expires = checkout_timeout.map(|limit| self.model.now + limit);
        self.model.waiting.insert(call, Call { bytes, expires, timeout, deadline: None });
        self.happen(Event::CallArrived { call, bytes, checkout_timeout, timeout });
    }

    fn get_ready(&mut self, worker: WorkerId) {
        self.model.workers.insert(worker, Worker::Idle);
        self.happen(Event::WorkerReady(worker));
    }

    fn finish(&mut self, worker: WorkerId) {
        let Some(Worker::Busy(call)) = self.model.workers.insert(worker, Worker::Idle) else { panic!("it was busy") };
        self.model.running.remove(&call);
        self.model.ended.insert(call);
        self.model.deaths = 0;
        self.happen(Event::CallFinished(worker));
    }

    fn die(&mut self, worker: WorkerId, undelivered: bool) {
        if let Some(Worker::Busy(call)) = self.model.workers.remove(&worker)
            && undelivered
        {
            let back = self.model.running.remove(&call).unwrap();
            self.model.waiting.insert(call, Call { deadline: None, ..back });
        }
        self.model.deaths += 1;
        self.happen(Event::WorkerExited { worker, undelivered });
    }

    fn noise(&mut self) {
        let stranger = WorkerId(u64::MAX);
        self.happen(Event::WorkerReady(stranger));
        self.happen(Event::CallFinished(stranger));
        self.happen(Event::WorkerExited { worker: stranger, undelivered: true });
        self.happen(Event::CallCancelled(CallId(u64::MAX)));
        for (worker, state) in self.model.workers.clone() {
            match state {
                Worker::Starting => self.happen(Event::CallFinished(worker)),
                Worker::Idle => {
                    self.happen(Event::WorkerReady(worker));
                    self.happen(Event::CallFinished(worker));
                }
                Worker::Busy(_) => self.happen(Event::WorkerReady(worker)),
                Worker::Stopping => {
                    self.happen(Event::WorkerReady(worker));
                    self.happen(Event::CallFinished(worker));
                }
            }
        }
    }

    /// From now on all goes well: each call ends, and there are `size` workers again.
    fn settle(&mut self) {
        for _ in 0..10_000 {
            self.model.now += Duration::from_millis(40);
            self.happen(Event::TimePassed);
            for (worker, state) in self.model.workers.clone() {
                match state {
                    Worker::Starting => self.get_ready(worker),
                    Worker::Stopping => self.die(worker, false),
                    Worker::Busy(_) | Worker::Idle => {}
                }
            }
            while let Some((worker, _)) = self.model.workers.iter().find(|(_, state)| matches!(state, Worker::Busy(_)))
            {
                self.finish(*worker);
            }
            let idle = self.core.counts().idle;
            if self.model.waiting.is_empty() && idle == self.core.counts().all() && idle == self.model.settings.size {
                return;
            }
        }
        panic!("the pool does not come back to its size: {:?}", self.core.counts());
    }
}

proptest! {
    #[test]
    fn whatever_happens_each_call_ends_once_and_the_pool_comes_back_to_its_size(
        settings in settings(),
        ops in prop::collection::vec(op(), 1..200),
    ) {
        let mut bench = Bench::new(settings);
        ops.into_iter().for_each(|op| bench.run(op));
        bench.settle();
        prop_assert_eq!(bench.model.ended.len() as u64, bench.model.arrived);
    }
}
