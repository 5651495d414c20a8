//! How long the pool's core takes to bind a call and to end it: `cargo bench --bench pool_core`.

#![allow(missing_docs, reason = "nobody reads a bench from outside")]

use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use portpool::call::{CallId, OnCancel, WorkerId};
use portpool::config::Strategy;
use portpool::pool::{Action, Core, Event, Run, Seat, Settings, Terms, Want};

const WORKERS: usize = 8;

/// A core under load: each step hands it one call and takes back one that is done.
struct Load {
    core: Core,
    actions: Vec<Action>,
    now: Instant,
    next_call: u64,
    /// Workers with a call in hand, the one that has had it longest first.
    busy: std::collections::VecDeque<WorkerId>,
}

impl Load {
    /// Eight workers; so many calls wait, or one worker is free if none does.
    fn new(waiting: usize) -> Self {
        let settings = Settings {
            size: WORKERS,
            max_overflow: 0,
            overflow_ttl: Duration::from_secs(30),
            strategy: Strategy::Lifo,
            start_timeout: Duration::from_secs(30),
            max_starting: WORKERS,
            max_queue: waiting + WORKERS + 1,
            max_queue_bytes: usize::MAX,
            max_calls: None,
            max_age: None,
            idle_check: None,
            quarantine: 3,
            seed: 7,
        };
        let mut load = Self {
            core: Core::new(settings),
            actions: Vec::new(),
            now: Instant::now(),
            next_call: 1,
            busy: std::collections::VecDeque::new(),
        };
        load.handle(Event::TimePassed);
        for worker in 1..=WORKERS as u64 {
            load.handle(Event::WorkerReady(WorkerId(worker)));
        }
        for _ in 0..WORKERS - 1 + if waiting > 0 { waiting + 1 } else { 0 } {
            load.call();
        }
        assert_eq!(load.core.waiting().0, waiting, "the load is not what it says");
        load
    }

    fn handle(&mut self, event: Event) {
        self.actions.clear();
        self.core.handle(self.now, event, &mut self.actions);
        let bound = self.actions.iter().filter_map(|action| match action {
            Action::Dispatch(worker, _) => Some(*worker),
            _ => None,
        });
        self.busy.extend(bound);
    }

    fn call(&mut self) {
        self.now += Duration::from_micros(1);
        let call = CallId(self.next_call);
        self.next_call += 1;
        let (checkout_timeout, timeout) = (Some(Duration::from_secs(5)), Some(Duration::from_secs(60)));
        let (on_cancel, grace) = (OnCancel::Kill, Duration::ZERO);
        let want = Want::Run(Run { timeout, grace, on_cancel, retry: 0, fingerprint: None });
        let terms = Terms { bytes: 100, checkout_timeout, deadline: None, seat: Seat::Any, want };
        self.handle(Event::CallArrived(call, terms));
    }

    /// One call comes, one ends. Time goes on slowly, so that no timer falls due.
    fn step(&mut self) {
        self.call();
        if let Some(worker) = self.busy.pop_front() {
            self.handle(Event::CallFinished(worker));
        }
    }
}

fn call_and_finish(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("call and finish, 8 workers");
    for waiting in [0, 1000] {
        group.throughput(criterion::Throughput::Elements(1000));
        // A thousand steps with a fresh core each time: its clock must not reach the timers.
        group.bench_function(format!("1000 calls, {waiting} waiting"), |bencher| {
            bencher.iter_batched_ref(
                || Load::new(waiting),
                |load| (0..1000).for_each(|_| load.step()),
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = call_and_finish
}
criterion_main!(benches);
