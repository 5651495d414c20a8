//! Feeds the core with what happens and performs what it says. Owns the workers and the calls that wait or run.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::Sleep;
use tracing::{debug, warn};

use super::core::Core;
use super::event::{Action, Event, KillCause, Settings};
use super::outcome;
use super::status::{Status, WorkerStatus};
use crate::call::{Call, CallId, Failure, Outcome, WorkerId};
use crate::config::Wait;
use crate::worker::{self, Ended, Handle, Launcher};

/// Events of workers that the pool has not taken in yet; a worker's task waits when there are more.
const EVENTS: usize = 256;

/// How far away the alarm is set when the core has no timer.
const NO_TIMER: Duration = Duration::from_secs(3600);

/// A call that has not ended.
#[derive(Debug)]
pub(super) struct InHand {
    pub(super) call: Call,
    /// When a worker got it.
    pub(super) started: Option<Instant>,
}

/// A pool of Python workers. All of them are killed when this is dropped.
pub struct Pool {
    core: Core,
    settings: Settings,
    launcher: Arc<dyn Launcher>,
    max_frame: usize,
    workers: BTreeMap<WorkerId, Handle>,
    calls: HashMap<CallId, InHand>,
    ended: VecDeque<(CallId, Outcome)>,
    events: mpsc::Receiver<(WorkerId, worker::Event)>,
    sender: mpsc::Sender<(WorkerId, worker::Event)>,
    /// Set for the next timer of the core or earlier: it is moved only when it must be.
    alarm: Pin<Box<Sleep>>,
    /// The one list of actions, reused.
    actions: Vec<Action>,
    last_start_error: Option<Failure>,
}

impl Pool {
    /// A pool whose workers the launcher starts, at once and beside the caller.
    pub fn new(settings: Settings, launcher: Arc<dyn Launcher>, max_frame: usize) -> Self {
        let (sender, events) = mpsc::channel(EVENTS);
        let mut pool = Self {
            core: Core::new(settings.clone()),
            settings,
            launcher,
            max_frame,
            workers: BTreeMap::new(),
            calls: HashMap::new(),
            ended: VecDeque::new(),
            events,
            sender,
            alarm: Box::pin(tokio::time::sleep(NO_TIMER)),
            actions: Vec::new(),
            last_start_error: None,
        };
        pool.step(Event::TimePassed, None);
        pool
    }

    /// Takes a call in. It will come out of `take_ended`, exactly once.
    pub fn submit(&mut self, id: CallId, call: Call) {
        let event = Event::CallArrived {
            call: id,
            bytes: call.body.size(),
            checkout_timeout: call.limits.checkout_timeout,
            timeout: call.limits.timeout,
        };
        self.calls.insert(id, InHand { call, started: None });
        self.step(event, None);
    }

    /// Gives a call up: it ends with `cancelled`, unless it has ended already.
    pub fn cancel(&mut self, id: CallId) {
        self.step(Event::CallCancelled(id), None);
    }

    /// A call that has ended.
    pub fn take_ended(&mut self) -> Option<(CallId, Outcome)> {
        self.ended.pop_front()
    }

    /// Waits for the next thing that happens and deals with it.
    ///
    /// Cancellation: may be dropped at any await; nothing is half done there.
    pub async fn progress(&mut self) {
        tokio::select! {
            biased;
            Some((worker, event)) = self.events.recv() => self.worker_event(worker, event),
            () = self.alarm.as_mut() => self.step(Event::TimePassed, None),
        }
    }

    /// Whether there is no more to wait for: the workers are ready, or they keep failing.
    pub fn has_started(&self, wait: Wait) -> bool {
        let counts = self.core.counts();
        let wanted = match wait {
            Wait::None => 0,
            Wait::First => 1,
            Wait::All => self.settings.size,
        };
        counts.idle + counts.busy >= wanted || self.core.is_crash_loop()
    }

    /// The pool as it stands.
    pub fn status(&self) -> Status {
        let now = Instant::now();
        let (waiting, waiting_bytes) = self.core.waiting();
        let (calls, restarts) = self.core.totals();
        let row = |(id, state, started, calls): (WorkerId, _, Instant, _)| WorkerStatus {
            id,
            pid: self.workers.get(&id).and_then(Handle::pid).unwrap_or_default(),
            state,
            calls,
            age: now.saturating_duration_since(started),
        };
        Status {
            size: self.settings.size,
            max_overflow: self.settings.max_overflow,
            counts: self.core.counts(),
            waiting,
            waiting_bytes,
            crash_loop: self.core.is_crash_loop(),
            last_start_error: self.last_start_error.clone(),
            calls,
            restarts,
            workers: self.core.workers().map(row).collect(),
        }
    }

    /// Whether a worker has this call in hand.
    pub fn runs(&self, call: CallId) -> bool {
        self.calls.get(&call).is_some_and(|in_hand| in_hand.started.is_some())
    }

    /// Kills all workers and waits until they are reaped and have had their last words logged.
    pub async fn close(mut self) {
        self.workers.values().for_each(Handle::kill);
        while !self.workers.is_empty() {
            if let Some((worker, worker::Event::Ended(_))) = self.events.recv().await {
                self.workers.remove(&worker);
            }
        }
    }

    fn worker_event(&mut self, worker: WorkerId, event: worker::Event) {
        match event {
            worker::Event::Started(started) => {
                debug!(worker = worker.0, pid = started.pid, "ready");
                self.last_start_error = None;
                self.step(Event::WorkerReady(worker), None);
            }
            worker::Event::Replied(reply) => {
                // A worker that was stopped may still have answered: its call has ended without it.
                if self.core.call_in_hand(worker).is_some()
                    && let Some(in_hand) = self.calls.remove(&reply.call)
                {
                    self.ended.push_back((reply.call, outcome::of_reply(reply.kind, reply.body, in_hand.call.form)));
                }
                self.step(Event::CallFinished(worker), None);
            }
            worker::Event::Pong | worker::Event::Grew | worker::Event::Stopped(_) => {}
            worker::Event::Ended(ended) => self.worker_ended(worker, &ended),
        }
    }

    fn worker_ended(&mut self, worker: WorkerId, ended: &Ended) {
        self.workers.remove(&worker);
        if self.core.is_starting(worker) {
            let failure = outcome::of_start(ended);
            warn!(worker = worker.0, "{}", failure.message);
            self.last_start_error = Some(failure);
        }
        // A call that was handed over while the worker ended was not even taken.
        let undelivered = ended.undelivered || self.core.call_in_hand(worker) != ended.call;
        self.step(Event::WorkerExited { worker, undelivered }, Some(ended));
    }

    /// Tells the core what happened and does what it says.
    fn step(&mut self, event: Event, ended: Option<&Ended>) {
        let now = Instant::now();
        let mut actions = std::mem::take(&mut self.actions);
        self.core.handle(now, event, &mut actions);
        for action in actions.drain(..) {
            self.perform(now, action, ended);
        }
        self.actions = actions;
        self.set_alarm();
    }

    fn perform(&mut self, now: Instant, action: Action, ended: Option<&Ended>) {
        match action {
            Action::StartWorker(worker) => {
                let handle = worker::start(worker, 1, Arc::clone(&self.launcher), self.max_frame, self.sender.clone());
                self.workers.insert(worker, handle);
            }
            Action::Dispatch(worker, call) => self.dispatch(now, worker, call),
            Action::RetireWorker(worker) => self.on(worker, Handle::retire),
            Action::KillWorker(worker, cause) => self.kill(worker, cause),
            Action::Refuse(call, refusal) => {
                if let Some(in_hand) = self.calls.remove(&call) {
                    let pid = refusal.worker().and_then(|worker| self.workers.get(&worker)?.pid());
                    let context = outcome::Context {
                        now,
                        pid,
                        ended,
                        last_start_error: self.last_start_error.as_ref(),
                        waiting: self.core.waiting().0,
                    };
                    self.ended.push_back((call, Err(outcome::of_refusal(refusal, &in_hand, context))));
                }
            }
        }
    }

    fn dispatch(&mut self, now: Instant, worker: WorkerId, call: CallId) {
        if let (Some(handle), Some(in_hand)) = (self.workers.get(&worker), self.calls.get_mut(&call)) {
            in_hand.started = Some(now);
            handle.call(call, in_hand.call.body.clone());
        }
    }

    fn kill(&mut self, worker: WorkerId, cause: KillCause) {
        debug!(worker = worker.0, ?cause, "killed");
        if cause == KillCause::StartTimeout {
            let failure = outcome::of_slow_start(self.settings.start_timeout);
            warn!(worker = worker.0, "{}", failure.message);
            self.last_start_error = Some(failure);
        }
        self.on(worker, Handle::kill);
    }

    fn on(&self, worker: WorkerId, order: impl Fn(&Handle)) {
        self.workers.get(&worker).map(order);
    }

    fn set_alarm(&mut self) {
        let next = self.core.next_timer().unwrap_or_else(|| Instant::now() + NO_TIMER).into();
        if next < self.alarm.deadline() || self.alarm.is_elapsed() {
            self.alarm.as_mut().reset(next);
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("core", &self.core).finish_non_exhaustive()
    }
}
