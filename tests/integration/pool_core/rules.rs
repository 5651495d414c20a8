//! Rules of the core that random histories rarely reach.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

use portpool::call::{CallId, WorkerId};
use portpool::pool::{Action, Core, Demand, Event, KillCause, Placement, Refusal, Settings};

use super::bench::{Bench, demand, plain};
use super::model::{Phase, Stage, ms};

#[test]
fn a_successor_is_not_taken_for_overflow() {
    for max_overflow in [0, 2] {
        let settings = Settings { size: 4, max_overflow, max_age: Some(ms(300)), overflow_ttl: ms(50), ..plain() };
        let mut bench = Bench::new(settings);
        (0..100).for_each(|_| bench.live_well(20));
        let mut started = BTreeMap::new();
        let mut left = 0;
        for (at, _, actions) in &bench.history {
            for action in actions {
                match action {
                    Action::StartWorker { worker, .. } => drop(started.insert(*worker, *at)),
                    Action::RetireWorker(worker) => {
                        let age = *at - started[worker];
                        assert!(age >= ms(270), "{worker} had to leave after {age:?}");
                        left += 1;
                    }
                    _ => {}
                }
            }
        }
        assert!(left >= 12, "{left} left in two seconds");
    }
}

fn now_or_never() -> Demand {
    Demand { checkout_timeout: Some(ms(0)), ..demand() }
}

#[test]
fn a_worker_that_is_asked_whether_it_is_alive_is_idle_and_takes_calls() {
    let mut bench = Bench::new(Settings { idle_check: Some(ms(30)), ..plain() });
    bench.all_ready();
    bench.pass(30);
    assert!(bench.model.workers.values().all(|worker| worker.pinged));
    assert_eq!((bench.core.counts().idle, bench.core.totals().max_busy), (2, 0));
    // The one that has answered comes first, although the other one was used last.
    bench.answer(WorkerId(1));
    let (first, second) = (bench.arrive(now_or_never()), bench.arrive(now_or_never()));
    assert_eq!(bench.model.asks[&first].stage, Stage::Running(WorkerId(1)));
    assert_eq!(bench.model.asks[&second].stage, Stage::Running(WorkerId(2)));
}

#[test]
fn a_call_given_to_a_worker_that_does_not_answer_goes_to_another_one_if_it_was_not_read() {
    for undelivered in [true, false] {
        let mut bench = Bench::new(Settings { size: 1, idle_check: Some(ms(30)), ..plain() });
        bench.all_ready();
        bench.pass(30);
        let call = bench.arrive(demand());
        bench.pass(999);
        assert_eq!(bench.model.asks[&call].stage, Stage::Running(WorkerId(1)));
        bench.pass(1);
        let silent = Action::KillWorker(WorkerId(1), KillCause::Silent);
        assert!(bench.history.last().unwrap().2.contains(&silent), "{}", bench.told());
        bench.die(WorkerId(1), undelivered);
        let waits = bench.model.asks.contains_key(&call);
        assert_eq!(waits, undelivered, "{}", bench.told());
        bench.settle();
    }
}

#[test]
fn an_answer_ends_the_wait_for_it_whether_it_is_one_to_a_ping_or_to_a_call() {
    let mut bench = Bench::new(Settings { size: 2, idle_check: Some(ms(30)), ..plain() });
    bench.all_ready();
    bench.pass(30);
    bench.arrive(now_or_never());
    bench.answer(WorkerId(1));
    bench.finish(WorkerId(2));
    bench.pass(29);
    let workers: Vec<Phase> = bench.model.workers.values().map(|worker| worker.phase).collect();
    assert_eq!(workers, [Phase::Idle, Phase::Idle], "{}", bench.told());
    (0..100).for_each(|_| bench.live_well(20));
    assert_eq!(bench.core.totals().restarts, 0, "{}", bench.told());
}

#[test]
fn a_call_that_no_worker_has_read_has_not_begun() {
    let mut bench = Bench::new(Settings { size: 1, ..plain() });
    bench.all_ready();
    let call = bench.arrive(demand());
    for death in 1..=3 {
        while bench.find(|phase| matches!(phase, Phase::Busy(_))).is_none() {
            bench.pass(20);
            bench.all_ready();
        }
        let worker = bench.find(|phase| matches!(phase, Phase::Busy(_))).unwrap();
        bench.die(worker, true);
        let refused = bench.history.last().unwrap().2.iter().find(|action| matches!(action, Action::Refuse(..)));
        let wanted = Action::Refuse(call, Refusal::Undelivered { worker, workers: 3 });
        assert_eq!(refused, (death == 3).then_some(&wanted), "{}", bench.told());
    }
}

/// A pool of one worker that runs a short call, with this many others ahead; the first and the rest.
fn rush(ahead: usize) -> (Bench, CallId, Vec<CallId>) {
    let short = || Demand { brief: Some(std::time::Duration::from_micros(10)), ..demand() };
    let mut bench = Bench::new(Settings { size: 1, prefetch: Some(1), ..plain() });
    bench.all_ready();
    let first = bench.arrive(short());
    let others: Vec<CallId> = (0..ahead).map(|_| bench.arrive(short())).collect();
    assert_eq!(bench.core.ahead(), ahead, "{}", bench.told());
    (bench, first, others)
}

#[test]
fn a_cancellation_that_comes_too_late_costs_the_next_call_nothing_however_often_it_comes() {
    let (mut bench, first, others) = rush(2);
    // It is read, answered, and the next one is read.
    (0..3).for_each(|_| bench.advance(WorkerId(1)));
    (0..3).for_each(|_| bench.cancel(first));
    bench.finish(WorkerId(1));
    assert_eq!(bench.model.asks[&others[0]].stage, Stage::Running(WorkerId(1)), "{}", bench.told());
    assert_eq!(bench.core.totals().restarts, 0);
    bench.settle();
}

#[test]
fn a_worker_that_has_passed_a_call_over_takes_as_many_ahead_as_before() {
    // Twenty calls of 10 us are what a worker may have: the one in hand and fifteen ahead.
    let (mut bench, _, _) = rush(15);
    // Nothing has been read: the first comes out, and the worker reads the second meanwhile.
    bench.pass(1);
    while let Some(worker) = bench.find(|phase| matches!(phase, Phase::Busy(_))) {
        bench.finish(worker);
    }
    assert_eq!(bench.model.over.len(), 16, "{}", bench.told());
    let short = || Demand { brief: Some(std::time::Duration::from_micros(10)), ..demand() };
    for _ in 0..16 {
        bench.arrive(short());
    }
    assert_eq!(bench.core.ahead(), 15, "{}", bench.told());
    bench.settle();
}

/// Calls in turn, each finished at once, on workers that start at once and leave when they are asked to.
struct Turnover {
    core: Core,
    now: Instant,
    alive: BTreeSet<WorkerId>,
    next: u64,
}

impl Turnover {
    /// The worker to which a call of this key goes.
    fn call(&mut self, key: u64) -> WorkerId {
        self.next += 1;
        let ran =
            self.happen(Event::CallArrived(CallId(self.next), Demand { placement: Placement::Key(key), ..demand() }));
        let worker = ran.expect("a worker is idle");
        self.happen(Event::CallFinished(worker, CallId(self.next)));
        worker
    }

    fn happen(&mut self, event: Event) -> Option<WorkerId> {
        let (mut events, mut ran) = (VecDeque::from([event]), None);
        while let Some(event) = events.pop_front() {
            let mut actions = Vec::new();
            self.now += ms(1);
            self.core.handle(self.now, event, &mut actions);
            for action in actions {
                match action {
                    Action::StartWorker { worker, .. } => {
                        self.alive.insert(worker);
                        events.push_back(Event::WorkerReady(worker));
                    }
                    Action::RetireWorker(worker) => {
                        self.alive.remove(&worker);
                        events.push_back(Event::WorkerExited { worker, read: Vec::new() });
                    }
                    Action::Dispatch(worker, _) => ran = Some(worker),
                    _ => {}
                }
            }
        }
        ran
    }
}

#[test]
fn keys_stay_with_their_worker_however_many_workers_have_come_and_gone() {
    const KEYS: u64 = 1024;
    const CALLS: u64 = 192_000;
    let core = Core::new(Settings { size: 4, max_calls: Some(500), ..plain() });
    let mut pool = Turnover { core, now: Instant::now(), alive: BTreeSet::new(), next: 0 };
    pool.happen(Event::TimePassed);
    let (mut homes, mut strays) = (BTreeMap::new(), 0);
    for call in 0..CALLS {
        // Each key once in a round, in an order that changes from round to round.
        let key = (call * 389 + call / KEYS) % KEYS;
        let worker = pool.call(key);
        let before = homes.insert(key, worker);
        strays += u64::from(before.is_some_and(|before| before != worker && pool.alive.contains(&before)));
    }
    assert!(pool.next == CALLS && homes.len() == KEYS as usize);
    assert_eq!(strays, 0, "calls left a worker that lives");
}
