//! Decides which job gets which worker, and when: a pure state machine without clock, I/O or await.
//!
//! Events say what happened, actions what to do about it. The driver feeds the former and performs the latter.
//! docs/protocol.md 4 and 8 have the rules.
//!
//! - `ahead`: calls that are sent to a busy worker before it can run them
//! - `calls`: the path of a call through the queue to a worker, or to its end without a result
//! - `leases`: workers that one caller holds for several calls
//! - `workers`: starts, replies, deaths
//! - `change`: replacement, resize, reload, drain

mod ahead;
mod calls;
mod change;
mod leases;
mod workers;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::affinity::Affinity;
use super::backoff::BackOff;
use super::event::{Action, Event, KillCause, Refusal, Settings};
use super::quarantine::Quarantine;
use super::queue::{Queue, Waiting};
use super::random::Random;
use super::roster::{Busy, Counts, Roster, State, Stop, StopCall};
use super::timers::{Timer, Timers};
use crate::call::{CallId, WorkerId};

/// A call that this many workers have failed to read is not handed to another one.
const DELIVERIES: u8 = 3;
/// A worker that finished this many calls, or lived this long, has made progress: its death is not a failed start.
const PROGRESS_CALLS: u64 = 3;
const PROGRESS_AGE: Duration = Duration::from_secs(10);
/// How long a worker that was asked to end has before it is asked as the system does, and again before it is killed.
const RETIRE_GRACE: Duration = Duration::from_secs(1);
/// How long a worker has to answer that it is alive.
const CHECK_LIMIT: Duration = Duration::from_secs(1);

/// The counters since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Calls that ended in a worker.
    pub finished: u64,
    /// Workers that were replaced after they died or were killed.
    pub restarts: u64,
    /// Calls refused because the queue was full.
    pub refused: u64,
    /// The highest number of waiting calls so far.
    pub max_waiting: usize,
    /// The highest number of busy workers so far.
    pub max_busy: usize,
}

/// A new generation that has yet to prove itself.
#[derive(Debug)]
struct Reload {
    generation: u64,
    /// Its first worker, once started.
    candidate: Option<WorkerId>,
    /// The requests that wait for it.
    asked: Vec<CallId>,
}

/// A drain: no more calls are accepted.
#[derive(Debug)]
struct Drain {
    /// When to kill what still runs.
    ends: Option<Instant>,
    /// No worker is left, and this has been reported.
    done: bool,
}

/// The state machine.
#[derive(Debug)]
pub struct Core {
    settings: Settings,
    roster: Roster,
    queue: Queue,
    running: BTreeMap<CallId, WorkerId>,
    /// Calls whose worker died, resting before they are run again.
    retrying: BTreeMap<CallId, Waiting>,
    leases: BTreeMap<CallId, WorkerId>,
    affinity: Affinity,
    quarantine: Quarantine,
    timers: Timers,
    backoff: BackOff,
    random: Random,
    generation: u64,
    next_generation: u64,
    reload: Option<Reload>,
    drain: Option<Drain>,
    totals: Totals,
}

impl Core {
    /// A pool without workers; the first event starts them.
    pub fn new(settings: Settings) -> Self {
        Self {
            roster: Roster::new(settings.strategy),
            queue: Queue::new(settings.max_queue, settings.max_queue_bytes),
            running: BTreeMap::new(),
            retrying: BTreeMap::new(),
            leases: BTreeMap::new(),
            affinity: Affinity::default(),
            quarantine: Quarantine::new(settings.quarantine),
            timers: Timers::default(),
            backoff: BackOff::new(settings.seed),
            random: Random::new(settings.seed),
            generation: 1,
            next_generation: 2,
            reload: None,
            drain: None,
            totals: Totals::default(),
            settings,
        }
    }

    /// Handles what happened at `now` and appends the actions. Timers that are due at `now` come second: a reply that
    /// has arrived when its deadline strikes is a reply.
    pub fn handle(&mut self, now: Instant, event: Event, actions: &mut Vec<Action>) {
        match event {
            Event::CallArrived(call, demand) => self.call_arrived(now, call, Waiting::new(now, demand), actions),
            Event::CallCancelled(call) => self.call_cancelled(now, call, actions),
            Event::CheckedIn { lease, broken } => self.checked_in(now, lease, broken, actions),
            Event::WorkerReady(worker) => self.worker_ready(now, worker, actions),
            Event::CallFinished(worker, call) => self.call_finished(now, worker, call, actions),
            Event::TakenBack { worker, calls } => self.taken_back(now, worker, &calls, actions),
            Event::WorkerGrew(worker) => self.roster.mark_replaceable(worker),
            Event::WorkerSpoiled(worker) => self.worker_spoiled(now, worker, actions),
            Event::WorkerAnswered(worker) => self.worker_answered(now, worker),
            Event::WorkerExited { worker, read } => self.worker_exited(now, worker, &read, actions),
            Event::Resized(size) => self.resized(now, size),
            Event::ReloadAsked(call) => self.reload_asked(now, call, actions),
            Event::DrainAsked(limit) => self.drain_asked(now, limit, actions),
            Event::TimePassed => {}
        }
        while let Some(timer) = self.timers.pop(now) {
            self.timer_fell_due(now, timer, actions);
        }
        self.take_back_from_leaving(actions);
        self.send_ahead(now, actions);
        self.replace_workers(now, actions);
        self.start_workers(now, actions);
        self.totals.max_waiting = self.totals.max_waiting.max(self.queue.len());
        self.totals.max_busy = self.totals.max_busy.max(self.roster.counts().busy);
    }

    fn timer_fell_due(&mut self, now: Instant, timer: Timer, actions: &mut Vec<Action>) {
        match timer {
            Timer::Checkout(call) => self.waited_too_long(call, actions),
            Timer::Retry(call) => self.retry_due(now, call, actions),
            Timer::Lease(lease) => self.end_lease(now, lease, Refusal::LeaseLostRunning, actions),
            Timer::Worker(worker) => self.worker_timer_fell_due(now, worker, actions),
            Timer::Check(worker) => self.is_silent(now, worker, actions),
            Timer::Behind(worker) => self.behind_too_long(now, worker, actions),
            Timer::Age(worker) => self.roster.mark_replaceable(worker),
            Timer::Drain => self.drain_timed_out(now, actions),
            // Only the end of the pause: `start_workers` checks it after each event.
            Timer::BackOff => {}
        }
    }

    /// When `TimePassed` is due.
    pub fn next_timer(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// The number of workers by state.
    pub fn counts(&self) -> Counts {
        self.roster.counts()
    }

    /// The number of waiting calls, and their bytes.
    pub fn waiting(&self) -> (usize, usize) {
        (self.queue.len(), self.queue.bytes())
    }

    /// Returns whether new calls are refused because no worker starts.
    pub fn is_crash_loop(&self) -> bool {
        self.backoff.is_crash_loop() && self.roster.counts().ready() == 0
    }

    /// What has been counted since the start.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// The number of calls that were sent to busy workers ahead of their time. They count as waiting.
    pub fn ahead(&self) -> usize {
        self.queue.ahead()
    }

    /// The number of leased workers.
    pub fn leased(&self) -> usize {
        self.leases.len()
    }

    /// Returns whether this lease has been granted and has not ended.
    pub fn has_lease(&self, lease: CallId) -> bool {
        self.leases.contains_key(&lease)
    }

    /// The generation of workers that last proved itself.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The number of workers beyond `size`, without replaceable ones and the one that is to prove a new generation.
    pub fn overflow(&self) -> usize {
        let wanted = self.roster.counts().useful() - self.roster.replaceable();
        wanted.saturating_sub(self.settings.size + usize::from(self.has_candidate()))
    }

    /// The number of permanent workers.
    pub fn size(&self) -> usize {
        self.settings.size
    }

    /// Returns whether workers of an older generation are being replaced, or the first of a new one is being tried.
    pub fn is_reloading(&self) -> bool {
        self.reload.is_some()
            || self.roster.iter().any(|(id, worker)| worker.generation < self.generation && self.roster.is_useful(id))
    }

    /// Returns whether the pool accepts no more calls.
    pub fn is_draining(&self) -> bool {
        self.drain.is_some()
    }

    /// A row per worker.
    pub fn workers(&self) -> impl Iterator<Item = Row> {
        self.roster.iter().map(|(id, worker)| Row {
            id,
            state: worker.state.name(),
            started: worker.started,
            calls: worker.calls,
            generation: worker.generation,
        })
    }

    /// The call that a worker runs and somebody waits for.
    pub fn call_in_hand(&self, worker: WorkerId) -> Option<CallId> {
        match self.roster.state(worker)? {
            State::Busy(busy) if busy.awaited => Some(busy.call),
            _ => None,
        }
    }

    /// The call that a worker runs, whether or not somebody waits for it.
    pub fn runs(&self, worker: WorkerId) -> Option<CallId> {
        match self.roster.state(worker)? {
            State::Busy(busy) => Some(busy.call),
            _ => None,
        }
    }

    /// Returns whether a worker has this call, and somebody waits for its end.
    pub fn is_running(&self, call: CallId) -> bool {
        self.running.contains_key(&call)
    }

    /// Returns whether its worker died and it is to be run again, but not yet.
    pub fn is_retrying(&self, call: CallId) -> bool {
        self.retrying.contains_key(&call)
    }

    /// Returns whether it has not said hello yet.
    pub fn is_starting(&self, worker: WorkerId) -> bool {
        matches!(self.roster.state(worker), Some(State::Starting))
    }

    /// Returns whether it was asked to end.
    pub fn is_retiring(&self, worker: WorkerId) -> bool {
        matches!(self.roster.state(worker), Some(State::Stopping(Stop::Retired | Stop::Terminated)))
    }
}

/// What is known about a worker.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its number.
    pub id: WorkerId,
    /// The name of its state.
    pub state: &'static str,
    /// When it started.
    pub started: Instant,
    /// The number of calls it has finished.
    pub calls: u64,
    /// Its generation.
    pub generation: u64,
}
