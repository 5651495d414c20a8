//! A core of eight workers under load, for measurements.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use portpool::call::{CallId, OnCancel, WorkerId};
use portpool::config::Strategy;
use portpool::pool::{Action, Core, Demand, Event, Placement, Purpose, Run, Settings};

const WORKERS: usize = 8;

/// A core under load: each step adds one call and ends one.
pub(crate) struct Load {
    core: Core,
    actions: Vec<Action>,
    now: Instant,
    next_call: u64,
    /// Busy workers with their calls, the one that has been busy longest first.
    busy: VecDeque<(WorkerId, CallId)>,
}

impl Load {
    /// Eight workers, with this many calls waiting, or one free worker if none waits.
    pub(crate) fn new(waiting: usize) -> Self {
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
            prefetch: None,
            seed: 7,
        };
        let mut load = Self {
            core: Core::new(settings),
            actions: Vec::new(),
            now: Instant::now(),
            next_call: 1,
            busy: VecDeque::new(),
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
            Action::Dispatch(worker, call) => Some((*worker, *call)),
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
        let purpose = Purpose::Run(Run { timeout, grace, on_cancel, retry: 0, fingerprint: None });
        let (placement, deadline, brief) = (Placement::Any, None, None);
        let demand = Demand { bytes: 100, checkout_timeout, deadline, placement, purpose, brief };
        self.handle(Event::CallArrived(call, demand));
    }

    /// One call arrives, one ends. Time passes slowly, so that no timer is due.
    pub(crate) fn step(&mut self) {
        self.call();
        if let Some((worker, call)) = self.busy.pop_front() {
            self.handle(Event::CallFinished(worker, call));
        }
    }
}
