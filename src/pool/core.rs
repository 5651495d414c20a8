//! Who gets which worker when: a pure state machine. It has no clock, no I/O and no await.
//!
//! Events say what happened, actions say what is to be done about it; the driver feeds the one and performs the other. The rules
//! are docs/protocol.md 8.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::backoff::BackOff;
use super::event::{Action, Event, KillCause, Refusal, Settings};
use super::queue::{Queue, Waiting};
use super::timers::{Timer, Timers};
use crate::call::{CallId, WorkerId};

/// A call that this many workers have failed to read is not handed to another one.
const DELIVERIES: u8 = 3;
/// A worker that finished so many calls, or lived so long, has made progress: its death is no failure of starting.
const PROGRESS_CALLS: u64 = 3;
const PROGRESS_AGE: Duration = Duration::from_secs(10);
/// How long a retired worker has to end by itself.
const RETIRE_GRACE: Duration = Duration::from_secs(2);

/// One worker's life.
#[derive(Debug)]
enum State {
    Starting,
    Idle,
    Busy(CallId, Waiting),
    /// Asked to end or killed: holds its slot until it is reaped.
    Stopping(Stop),
}

/// Why a worker is stopping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    Retired,
    Killed(KillCause),
}

#[derive(Debug)]
struct Worker {
    state: State,
    started: Instant,
    /// Whether it has said hello.
    ready: bool,
    calls: u64,
}

/// How many workers are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Not ready yet.
    pub starting: usize,
    /// Waiting for a call.
    pub idle: usize,
    /// Running one.
    pub busy: usize,
    /// Asked to end or killed, not reaped yet.
    pub stopping: usize,
}

impl Counts {
    /// All that hold a slot.
    pub fn all(self) -> usize {
        self.starting + self.idle + self.busy + self.stopping
    }

    /// Those that can take a call now or will be able to.
    fn useful(self) -> usize {
        self.starting + self.idle + self.busy
    }

    fn of(&mut self, state: &State) -> &mut usize {
        match state {
            State::Starting => &mut self.starting,
            State::Idle => &mut self.idle,
            State::Busy(..) => &mut self.busy,
            State::Stopping(_) => &mut self.stopping,
        }
    }
}

/// The state machine.
#[derive(Debug)]
pub struct Core {
    settings: Settings,
    workers: BTreeMap<WorkerId, Worker>,
    counts: Counts,
    /// Idle workers, the one that was used last on top: warm caches, and the others can leave.
    idle: Vec<WorkerId>,
    queue: Queue,
    running: BTreeMap<CallId, WorkerId>,
    timers: Timers,
    backoff: BackOff,
    next_worker: u64,
    restarts: u64,
    finished: u64,
}

impl Core {
    /// A pool without workers; the first event starts them.
    pub fn new(settings: Settings) -> Self {
        Self {
            queue: Queue::new(settings.max_queue, settings.max_queue_bytes),
            backoff: BackOff::new(settings.seed),
            settings,
            workers: BTreeMap::new(),
            counts: Counts::default(),
            idle: Vec::new(),
            running: BTreeMap::new(),
            timers: Timers::default(),
            next_worker: 1,
            restarts: 0,
            finished: 0,
        }
    }

    /// Takes in what happened at `now` and appends what is to be done. Timers that are due at `now` come second: a reply that is
    /// here when its deadline strikes is a reply.
    pub fn handle(&mut self, now: Instant, event: Event, actions: &mut Vec<Action>) {
        match event {
            Event::CallArrived { call, bytes, checkout_timeout, timeout } => {
                let expires = checkout_timeout.and_then(|limit| now.checked_add(limit));
                self.call_arrived(now, call, Waiting { bytes, expires, timeout, undelivered: 0 }, actions);
            }
            Event::CallCancelled(call) => self.call_cancelled(call, actions),
            Event::WorkerReady(worker) => self.worker_ready(now, worker, actions),
            Event::CallFinished(worker) => self.call_finished(now, worker, actions),
            Event::WorkerExited { worker, undelivered } => self.worker_exited(now, worker, undelivered, actions),
            Event::TimePassed => {}
        }
        while let Some(timer) = self.timers.pop(now) {
            self.timer_fell_due(now, timer, actions);
        }
        self.start_workers(now, actions);
    }

    /// When `TimePassed` is due.
    pub fn next_timer(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// How many workers are in which state.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// How many calls wait, and their bytes.
    pub fn waiting(&self) -> (usize, usize) {
        (self.queue.len(), self.queue.bytes())
    }

    /// Whether new calls are refused because no worker starts.
    pub fn is_crash_loop(&self) -> bool {
        self.backoff.is_crash_loop() && self.counts.idle + self.counts.busy == 0
    }

    /// Calls that ended in a worker, and workers that had to be replaced.
    pub fn totals(&self) -> (u64, u64) {
        (self.finished, self.restarts)
    }

    /// Each worker with the name of its state, its start and the calls it has finished.
    pub fn workers(&self) -> impl Iterator<Item = (WorkerId, &'static str, Instant, u64)> + '_ {
        self.workers.iter().map(|(id, worker)| (*id, worker.state.name(), worker.started, worker.calls))
    }

    /// The call that a worker runs.
    pub fn call_in_hand(&self, worker: WorkerId) -> Option<CallId> {
        match self.workers.get(&worker)?.state {
            State::Busy(call, _) => Some(call),
            _ => None,
        }
    }

    /// Whether it has not said hello yet.
    pub fn is_starting(&self, worker: WorkerId) -> bool {
        self.workers.get(&worker).is_some_and(|worker| matches!(worker.state, State::Starting))
    }

    fn call_arrived(&mut self, now: Instant, call: CallId, waiting: Waiting, actions: &mut Vec<Action>) {
        if let Some(worker) = self.idle.pop() {
            self.dispatch(now, worker, call, waiting, actions);
        } else if self.is_crash_loop() {
            actions.push(Action::Refuse(call, Refusal::CrashLoop));
        } else if waiting.expires.is_some_and(|at| at <= now) {
            actions.push(Action::Refuse(call, Refusal::CheckoutTimeout));
        } else if !self.queue.has_room(waiting.bytes, self.workers_to_come()) {
            actions.push(Action::Refuse(call, Refusal::QueueFull));
        } else {
            self.enqueue(call, waiting);
        }
    }

    fn call_cancelled(&mut self, call: CallId, actions: &mut Vec<Action>) {
        if self.queue.remove(call).is_some() {
            self.timers.set(Timer::Checkout(call), None);
            actions.push(Action::Refuse(call, Refusal::CancelledWaiting));
        } else if let Some(worker) = self.running.get(&call).copied() {
            self.kill(worker, KillCause::Cancelled, actions);
            actions.push(Action::Refuse(call, Refusal::CancelledRunning(worker)));
        }
    }

    fn worker_ready(&mut self, now: Instant, worker: WorkerId, actions: &mut Vec<Action>) {
        let Some(Worker { state: State::Starting, ready, .. }) = self.workers.get_mut(&worker) else { return };
        *ready = true;
        self.hand_next_call(now, worker, actions);
    }

    fn call_finished(&mut self, now: Instant, worker: WorkerId, actions: &mut Vec<Action>) {
        // A worker that is being stopped may still have written a reply: its call has been answered already.
        let Some(Worker { state: State::Busy(call, _), calls, .. }) = self.workers.get_mut(&worker) else { return };
        *calls += 1;
        self.running.remove(call);
        self.finished += 1;
        self.backoff.progressed();
        self.hand_next_call(now, worker, actions);
    }

    fn worker_exited(&mut self, now: Instant, id: WorkerId, undelivered: bool, actions: &mut Vec<Action>) {
        let Some(worker) = self.workers.remove(&id) else { return };
        self.timers.set(Timer::Worker(id), None);
        self.idle.retain(|idle| *idle != id);
        *self.counts.of(&worker.state) -= 1;
        let progressed =
            worker.calls >= PROGRESS_CALLS || now.saturating_duration_since(worker.started) >= PROGRESS_AGE;
        let failed = match worker.state {
            State::Starting => true,
            State::Stopping(stop) => stop == Stop::Killed(KillCause::StartTimeout),
            State::Idle | State::Busy(..) => !progressed,
        };
        if failed {
            let until = self.backoff.failed(now);
            self.timers.set(Timer::BackOff, Some(until));
        }
        if worker.ready && !matches!(worker.state, State::Stopping(Stop::Retired)) {
            self.restarts += 1;
        }
        if let State::Busy(call, waiting) = worker.state {
            self.running.remove(&call);
            self.call_lost(now, call, waiting, id, undelivered, actions);
        }
    }

    /// Its worker died: a call that had not begun goes to another one, within the same limits; else this is its end.
    fn call_lost(
        &mut self,
        now: Instant,
        call: CallId,
        mut waiting: Waiting,
        worker: WorkerId,
        undelivered: bool,
        actions: &mut Vec<Action>,
    ) {
        waiting.undelivered += 1;
        if !undelivered || waiting.undelivered >= DELIVERIES {
            actions.push(Action::Refuse(call, Refusal::WorkerExit(worker)));
        } else if waiting.expires.is_some_and(|at| at <= now) {
            actions.push(Action::Refuse(call, Refusal::CheckoutTimeout));
        } else if let Some(idle) = self.idle.pop() {
            self.dispatch(now, idle, call, waiting, actions);
        } else {
            self.enqueue(call, waiting);
        }
    }

    fn timer_fell_due(&mut self, now: Instant, timer: Timer, actions: &mut Vec<Action>) {
        match timer {
            Timer::Checkout(call) => {
                if self.queue.remove(call).is_some() {
                    actions.push(Action::Refuse(call, Refusal::CheckoutTimeout));
                }
            }
            Timer::Worker(worker) => self.worker_timer_fell_due(now, worker, actions),
            // Nothing but the end of the pause: `start_workers` looks at it after each event.
            Timer::BackOff => {}
        }
    }

    fn worker_timer_fell_due(&mut self, now: Instant, id: WorkerId, actions: &mut Vec<Action>) {
        match self.workers.get(&id).map(|worker| &worker.state) {
            Some(State::Starting) => self.kill(id, KillCause::StartTimeout, actions),
            Some(State::Busy(call, _)) => {
                let call = *call;
                self.kill(id, KillCause::Timeout, actions);
                actions.push(Action::Refuse(call, Refusal::Timeout(id)));
            }
            Some(State::Idle) => self.retire_overflow(now, id, actions),
            Some(State::Stopping(_)) => actions.push(Action::KillWorker(id, KillCause::RetireTimeout)),
            None => {}
        }
    }

    fn retire_overflow(&mut self, now: Instant, id: WorkerId, actions: &mut Vec<Action>) {
        if self.counts.useful() > self.settings.size {
            self.idle.retain(|idle| *idle != id);
            self.turn(id, State::Stopping(Stop::Retired));
            self.timers.set(Timer::Worker(id), now.checked_add(RETIRE_GRACE));
            actions.push(Action::RetireWorker(id));
        }
    }

    /// The one place where a worker is killed. The kill comes before whatever the caller says of its call.
    fn kill(&mut self, id: WorkerId, cause: KillCause, actions: &mut Vec<Action>) {
        if let Some(call) = self.call_in_hand(id) {
            self.running.remove(&call);
        }
        self.turn(id, State::Stopping(Stop::Killed(cause)));
        self.timers.set(Timer::Worker(id), None);
        actions.push(Action::KillWorker(id, cause));
    }

    /// A worker is free: it takes the call that waits longest, or waits itself.
    fn hand_next_call(&mut self, now: Instant, worker: WorkerId, actions: &mut Vec<Action>) {
        while let Some((call, waiting)) = self.queue.pop() {
            self.timers.set(Timer::Checkout(call), None);
            if waiting.expires.is_none_or(|at| at > now) {
                return self.dispatch(now, worker, call, waiting, actions);
            }
            actions.push(Action::Refuse(call, Refusal::CheckoutTimeout));
        }
        self.wait_idle(now, worker);
    }

    fn wait_idle(&mut self, now: Instant, worker: WorkerId) {
        self.turn(worker, State::Idle);
        self.idle.push(worker);
        let leaves = (self.counts.useful() > self.settings.size).then_some(self.settings.overflow_ttl);
        self.timers.set(Timer::Worker(worker), leaves.and_then(|ttl| now.checked_add(ttl)));
    }

    fn dispatch(&mut self, now: Instant, worker: WorkerId, call: CallId, waiting: Waiting, actions: &mut Vec<Action>) {
        let expires = waiting.timeout.and_then(|limit| now.checked_add(limit));
        self.timers.set(Timer::Worker(worker), expires);
        self.turn(worker, State::Busy(call, waiting));
        self.running.insert(call, worker);
        actions.push(Action::Dispatch(worker, call));
    }

    fn enqueue(&mut self, call: CallId, waiting: Waiting) {
        self.timers.set(Timer::Checkout(call), waiting.expires);
        self.queue.insert(call, waiting);
    }

    /// Starts what is missing: up to `size` always, beyond it only for calls that wait and have no start under way for them.
    fn start_workers(&mut self, now: Instant, actions: &mut Vec<Action>) {
        while self.wants_worker() && self.backoff.allows_start(now) {
            let id = WorkerId(self.next_worker);
            self.next_worker += 1;
            self.counts.starting += 1;
            self.workers.insert(id, Worker { state: State::Starting, started: now, ready: false, calls: 0 });
            self.timers.set(Timer::Worker(id), now.checked_add(self.settings.start_timeout));
            actions.push(Action::StartWorker(id));
        }
    }

    /// Workers that a waiting call may count on: a call that one of them will take is not held against `max_queue`.
    fn workers_to_come(&self) -> usize {
        let slots = self.settings.size.saturating_add(self.settings.max_overflow);
        self.counts.starting + slots.saturating_sub(self.counts.all())
    }

    fn wants_worker(&self) -> bool {
        let slots = self.settings.size.saturating_add(self.settings.max_overflow);
        let missing = self.counts.useful() < self.settings.size;
        let overflow = self.queue.len() > self.counts.starting;
        self.counts.starting < self.settings.max_starting && self.counts.all() < slots && (missing || overflow)
    }

    /// The one place where a worker's state changes, so that the counts are always true.
    fn turn(&mut self, id: WorkerId, state: State) {
        let Some(worker) = self.workers.get_mut(&id) else { return };
        *self.counts.of(&state) += 1;
        *self.counts.of(&worker.state) -= 1;
        worker.state = state;
    }
}

impl State {
    fn name(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Idle => "idle",
            Self::Busy(..) => "busy",
            Self::Stopping(_) => "stopping",
        }
    }
}
