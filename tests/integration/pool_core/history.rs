//! Random histories of all kinds.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use portpool::call::{CallId, OnCancel, WorkerId};
use portpool::config::Strategy as IdleStrategy;
use portpool::pool::{Action, Demand, Event, Placement, Purpose, Run, Settings};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;

use super::bench::Bench;
use super::model::{Phase, Stage, ms};
use crate::harness::summary;

/// Calls that are not.
const NOISE: [CallId; 1] = [CallId(u64::MAX)];

/// One thing that happens. An index picks among those it can happen to; where there are none, nothing happens.
#[derive(Clone, Debug)]
enum Op {
    Arrive(Arrival),
    Cancel(Index),
    CheckIn {
        lease: Index,
        broken: bool,
    },
    GetReady(Index),
    Finish(Index),
    /// A worker goes on, unknown to the pool.
    Advance(Index),
    Answer(Index),
    Grow(Index),
    Spoil(Index),
    /// Dies by itself, in whatever state.
    Die {
        worker: Index,
        undelivered: bool,
    },
    /// One that was killed or retired is reaped.
    Reap(Index),
    Resize(usize),
    Reload,
    Drain(Option<u64>),
    Pass(u64),
    /// Events about workers and calls that are not, or not any more.
    Noise,
}

#[derive(Clone, Debug)]
struct Arrival {
    bytes: usize,
    checkout_timeout: Option<u64>,
    deadline: Option<u64>,
    target: Target,
    purpose: Wish,
    brief: Option<u64>,
}

#[derive(Clone, Debug)]
enum Target {
    Any,
    Key(u64),
    Worker(Index),
    Lease(Index),
}

#[derive(Clone, Debug)]
enum Wish {
    Run { timeout: Option<u64>, grace: u64, finish: bool, retry: u8 },
    Lease(Option<u64>),
}

fn limit() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![3 => Just(None), 1 => Just(Some(0)), 4 => (1u64..60).prop_map(Some)]
}

fn arrival() -> impl Strategy<Value = Arrival> {
    let deadline = prop_oneof![4 => Just(None), 1 => (1u64..80).prop_map(Some)];
    let target = prop_oneof![
        6 => Just(Target::Any),
        2 => (0u64..3).prop_map(Target::Key),
        1 => any::<Index>().prop_map(Target::Worker),
        4 => any::<Index>().prop_map(Target::Lease),
    ];
    let timeout = prop_oneof![Just(None), (1u64..60).prop_map(Some)];
    let run = (timeout.clone(), prop_oneof![3 => Just(0u64), 1 => 1u64..30], prop::bool::weighted(0.2), 0u8..3)
        .prop_map(|(timeout, grace, finish, retry)| Wish::Run { timeout, grace, finish, retry });
    let purpose = prop_oneof![5 => run, 2 => timeout.prop_map(Wish::Lease)];
    let brief = prop_oneof![1 => Just(None), 2 => (1u64..60).prop_map(Some), 1 => (60u64..250).prop_map(Some)];
    (0usize..40, limit(), deadline, target, purpose, brief).prop_map(
        |(bytes, checkout_timeout, deadline, target, purpose, brief)| Arrival {
            bytes,
            checkout_timeout,
            deadline,
            target,
            purpose,
            brief,
        },
    )
}

fn op() -> impl Strategy<Value = Op> {
    let index = any::<Index>;
    prop_oneof![
        60 => arrival().prop_map(Op::Arrive),
        10 => index().prop_map(Op::Cancel),
        10 => (index(), prop::bool::weighted(0.2)).prop_map(|(lease, broken)| Op::CheckIn { lease, broken }),
        40 => index().prop_map(Op::GetReady),
        40 => index().prop_map(Op::Finish),
        20 => index().prop_map(Op::Advance),
        20 => index().prop_map(Op::Answer),
        5 => index().prop_map(Op::Grow),
        5 => index().prop_map(Op::Spoil),
        10 => (index(), any::<bool>()).prop_map(|(worker, undelivered)| Op::Die { worker, undelivered }),
        30 => index().prop_map(Op::Reap),
        4 => (1usize..6).prop_map(Op::Resize),
        4 => Just(Op::Reload),
        1 => prop::option::of(0u64..100).prop_map(Op::Drain),
        30 => (0u64..40).prop_map(Op::Pass),
        10 => Just(Op::Noise),
    ]
}

/// Many short calls, most of which are sent ahead.
fn op_of_a_rush() -> impl Strategy<Value = Op> {
    let index = any::<Index>;
    let target = prop_oneof![
        8 => Just(Target::Any),
        1 => (0u64..3).prop_map(Target::Key),
        1 => any::<Index>().prop_map(Target::Worker)
    ];
    let short = (arrival(), target, prop_oneof![3 => Just(None), 1 => Just(Some(2)), 1 => Just(Some(10))], 1u64..30)
        .prop_map(|(arrival, target, checkout_timeout, brief)| Arrival {
            target,
            checkout_timeout,
            brief: Some(brief),
            ..arrival
        });
    prop_oneof![
        80 => short.prop_map(Op::Arrive),
        3 => arrival().prop_map(Op::Arrive),
        60 => index().prop_map(Op::Advance),
        40 => index().prop_map(Op::Finish),
        10 => index().prop_map(Op::Cancel),
        30 => index().prop_map(Op::GetReady),
        2 => index().prop_map(Op::Grow),
        2 => index().prop_map(Op::Spoil),
        5 => (index(), any::<bool>()).prop_map(|(worker, undelivered)| Op::Die { worker, undelivered }),
        20 => index().prop_map(Op::Reap),
        2 => (1usize..6).prop_map(Op::Resize),
        2 => Just(Op::Reload),
        1 => prop::option::of(0u64..100).prop_map(Op::Drain),
        8 => (0u64..3).prop_map(Op::Pass),
    ]
}

fn history() -> impl Strategy<Value = (Settings, Vec<Op>)> {
    let rush = settings().prop_map(|settings| Settings { prefetch: Some(1), max_queue: 40, ..settings });
    prop_oneof![
        (settings(), prop::collection::vec(op(), 1..200)),
        (rush, prop::collection::vec(op_of_a_rush(), 1..200)),
    ]
}

prop_compose! {
    fn settings()(
        size in 1usize..5,
        max_overflow in 0usize..4,
        max_starting in 1usize..4,
        max_queue in 0usize..6,
        fifo in any::<bool>(),
        max_calls in prop_oneof![3 => Just(None), 2 => (1u64..5).prop_map(Some), 1 => Just(Some(20))],
        max_age in prop_oneof![3 => Just(None), 1 => Just(Some(ms(1000)))],
        idle_check in prop_oneof![2 => Just(None), 1 => Just(Some(ms(30)))],
        quarantine in 0u32..4,
        prefetch in prop_oneof![Just(None), (1usize..4).prop_map(Some)],
        seed in any::<u64>(),
    ) -> Settings {
        Settings {
            size,
            max_overflow,
            overflow_ttl: ms(50),
            strategy: if fifo { IdleStrategy::Fifo } else { IdleStrategy::Lifo },
            start_timeout: ms(80),
            max_starting,
            max_queue,
            max_queue_bytes: 100,
            max_calls,
            max_age,
            idle_check,
            quarantine,
            prefetch,
            seed,
        }
    }
}

impl Bench {
    fn run(&mut self, op: Op) {
        match op {
            Op::Arrive(arrival) => {
                let demand = self.demand_of(arrival);
                self.arrive(demand);
            }
            Op::Cancel(index) => {
                let calls: Vec<CallId> = self.model.asks.keys().chain(&self.model.over).copied().collect();
                if !calls.is_empty() {
                    self.cancel(*index.get(&calls));
                }
            }
            Op::CheckIn { lease, broken } => {
                if let Some(lease) = self.lease(lease) {
                    self.check_in(lease, broken);
                }
            }
            Op::GetReady(index) => self.with(index, |phase| phase == Phase::Starting, Self::ready),
            Op::Finish(index) => self.with(index, |phase| matches!(phase, Phase::Busy(_)), Self::finish),
            Op::Advance(index) => self.with(index, |phase| matches!(phase, Phase::Busy(_)), Self::advance),
            Op::Answer(index) => {
                let pinged = self.model.workers.iter().filter(|(_, worker)| worker.pinged);
                let pinged: Vec<WorkerId> = pinged.map(|(id, _)| *id).collect();
                if !pinged.is_empty() {
                    self.answer(*index.get(&pinged));
                }
            }
            Op::Grow(index) => self.with(index, |_| true, |bench, worker| bench.happen(Event::WorkerGrew(worker))),
            Op::Spoil(index) => self.with(index, |_| true, Self::spoil),
            Op::Die { worker, undelivered } => {
                if let Some(worker) = self.pick(worker, |_| true) {
                    self.die(worker, undelivered);
                }
            }
            Op::Reap(index) => {
                self.with(index, |phase| phase == Phase::Stopping, |bench, worker| bench.die(worker, false));
            }
            Op::Resize(size) => self.resize(size),
            Op::Reload => self.reload(),
            Op::Drain(limit) => self.drain(limit),
            Op::Pass(time) => self.pass(time),
            Op::Noise => self.noise(),
        }
    }

    fn with(&mut self, index: Index, wanted: fn(Phase) -> bool, what: fn(&mut Self, WorkerId)) {
        if let Some(worker) = self.pick(index, wanted) {
            what(self, worker);
        }
    }

    fn lease(&self, index: Index) -> Option<CallId> {
        let held = self.model.asks.iter().filter(|(_, ask)| matches!(ask.stage, Stage::Holding(_)));
        let leases: Vec<CallId> = held.map(|(id, _)| *id).collect();
        (!leases.is_empty()).then(|| *index.get(&leases))
    }

    fn demand_of(&self, arrival: Arrival) -> Demand {
        let Arrival { bytes, checkout_timeout, deadline, target, purpose, brief } = arrival;
        let is_lease = matches!(purpose, Wish::Lease(_));
        let placement = match target {
            Target::Key(key) => Placement::Key(key),
            Target::Worker(index) if !is_lease => {
                Placement::Worker(self.pick(index, |_| true).unwrap_or(WorkerId(u64::MAX)))
            }
            Target::Lease(index) if !is_lease => self.lease(index).map_or(Placement::Any, Placement::Lease),
            _ => Placement::Any,
        };
        let purpose = match purpose {
            Wish::Lease(limit) => Purpose::Lease(limit.map(ms)),
            Wish::Run { timeout, grace, finish, retry } => Purpose::Run(Run {
                timeout: timeout.map(ms),
                grace: ms(grace),
                on_cancel: if finish { OnCancel::Finish } else { OnCancel::Kill },
                retry: if brief.is_some() { 0 } else { retry },
                fingerprint: (retry > 0 && brief.is_none()).then_some(bytes as u64 % 4),
            }),
        };
        let brief = match &purpose {
            Purpose::Run(run) if run.fingerprint.is_none() => brief.map(Duration::from_micros),
            _ => None,
        };
        let (checkout_timeout, deadline) = (checkout_timeout.map(ms), deadline.map(ms));
        Demand { bytes, checkout_timeout, deadline, placement, purpose, brief }
    }

    fn noise(&mut self) {
        let stranger = WorkerId(u64::MAX);
        self.happen(Event::WorkerReady(stranger));
        self.happen(Event::CallFinished(stranger, CallId(u64::MAX)));
        self.happen(Event::TakenBack { worker: stranger, calls: NOISE.to_vec() });
        self.happen(Event::WorkerAnswered(stranger));
        self.happen(Event::WorkerGrew(stranger));
        self.happen(Event::WorkerSpoiled(stranger));
        self.happen(Event::WorkerExited { worker: stranger, read: Vec::new() });
        self.happen(Event::CallCancelled(CallId(u64::MAX)));
        self.happen(Event::CheckedIn { lease: CallId(u64::MAX), broken: true });
        for (worker, state) in self.model.workers.clone() {
            let is_told = self.model.workers.get(&worker).is_some_and(|now| now.phase == state.phase);
            if is_told && state.phase != Phase::Starting {
                self.happen(Event::WorkerReady(worker));
            }
            if is_told && !matches!(state.phase, Phase::Busy(_)) {
                self.happen(Event::CallFinished(worker, CallId(u64::MAX)));
                self.happen(Event::TakenBack { worker, calls: NOISE.to_vec() });
            }
            if is_told && !state.pinged {
                self.happen(Event::WorkerAnswered(worker));
            }
        }
    }
}

/// What became of the calls that were sent ahead.
#[derive(Default)]
struct SentAhead {
    sent: usize,
    begun: usize,
    taken_back: usize,
    /// They had begun when their worker was asked for them.
    too_late: usize,
}

impl SentAhead {
    fn count(&mut self, bench: &Bench) {
        for (_, event, actions) in &bench.history {
            let count = |wanted: fn(&Action) -> bool| actions.iter().filter(|action| wanted(action)).count();
            self.sent += count(|action| matches!(action, Action::Prefetch(..)));
            self.begun += count(|action| matches!(action, Action::Begin(..)));
            match event {
                Event::TakenBack { calls, .. } if calls.is_empty() => self.too_late += 1,
                Event::TakenBack { calls, .. } if *calls != NOISE => self.taken_back += calls.len(),
                _ => {}
            }
        }
    }
}

/// What went wrong, and the history that led there.
fn told(bench: &Bench, panic: &(dyn std::any::Any + Send)) -> TestCaseError {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    TestCaseError::fail(format!("{}\n{}", text.unwrap_or("a panic"), bench.told()))
}

#[test]
fn whatever_happens_each_call_ends_once_and_the_pool_comes_back_to_its_size() {
    // About a million events. `PROPTEST_CASES` asks for more.
    let given = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let cases = given.unwrap_or(10_000);
    let mut runner = TestRunner::new(ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() });
    let events = Cell::new(0);
    let ahead = RefCell::new(SentAhead::default());
    let result = runner.run(&history(), |(settings, ops)| {
        let mut bench = Bench::new(settings);
        let run = catch_unwind(AssertUnwindSafe(|| {
            ops.into_iter().for_each(|op| bench.run(op));
            bench.settle();
        }));
        events.set(events.get() + bench.history.len());
        ahead.borrow_mut().count(&bench);
        run.map_err(|panic| told(&bench, &*panic))
    });
    let SentAhead { sent, begun, taken_back, too_late } = ahead.into_inner();
    let sum = format!("{sent} calls sent ahead, {begun} of them begun, {taken_back} taken back, {too_late} too late");
    summary::add("50-core", &format!("pool core: {cases} random histories, {} events, {sum}", events.get()));
    if let Err(failure) = result {
        panic!("{failure}");
    }
}
