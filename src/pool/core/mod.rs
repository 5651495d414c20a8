//! Who gets which worker when: a pure state machine. It has no clock, no I/O and no await.
//!
//! Events say what happened, actions say what is to be done about it; the driver feeds the one and performs the other. The rules
//! are docs/protocol.md 4 and 8.
//!
//! - `calls`: a call's way through the queue to a worker, and to its end without a result
//! - `leases`: workers that one caller has for several calls
//! - `workers`: starts, replies, deaths
//! - `change`: workers that are replaced, resize, reload, drain

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
use super::roster::{Busy, Counts, Roster, State, Stop};
use super::timers::{Timer, Timers};
use crate::call::{CallId, WorkerId};

/// A call that this many workers have failed to read is not handed to another one.
const DELIVERIES: u8 = 3;
/// A worker that finished so many calls, or lived so long, has made progress: its death is no failure of starting.
const PROGRESS_CALLS: u64 = 3;
const PROGRESS_AGE: Duration = Duration::from_secs(10);
/// How long a worker that was asked to end has before it is asked as the system does, and again before it is killed.
const RETIRE_GRACE: Duration = Duration::from_secs(1);
/// How long a worker has to say that it is alive.
const CHECK_LIMIT: Duration = Duration::from_secs(1);

/// What has been counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Calls that ended in a worker.
    pub finished: u64,
    /// Workers that were replaced after they died or were killed.
    pub restarts: u64,
    /// Calls that found the queue full.
    pub refused: u64,
    /// The most that have waited at once.
    pub max_waiting: usize,
    /// The most workers that have been busy at once.
    pub max_busy: usize,
}

/// A new generation that has to prove itself.
#[derive(Debug)]
struct Reload {
    generation: u64,
    /// Its first worker, once that is started.
    candidate: Option<WorkerId>,
    /// Who waits for it.
    asked: Vec<CallId>,
}

/// The end: no call is taken any more.
#[derive(Debug)]
struct Drain {
    /// When what still runs is killed.
    ends: Option<Instant>,
    /// No worker is left, and that has been said.
    done: bool,
}

/// The state machine.
#[derive(Debug)]
pub struct Core {
    settings: Settings,
    roster: Roster,
    queue: Queue,
    running: BTreeMap<CallId, WorkerId>,
    /// Calls whose worker died, before they are made again.
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

    /// Takes in what happened at `now` and appends what is to be done. Timers that are due at `now` come second: a reply that is
    /// here when its deadline strikes is a reply.
    pub fn handle(&mut self, now: Instant, event: Event, actions: &mut Vec<Action>) {
        match event {
            Event::CallArrived(call, demand) => self.call_arrived(now, call, Waiting::new(now, demand), actions),
            Event::CallCancelled(call) => self.call_cancelled(now, call, actions),
            Event::CheckedIn { lease, broken } => self.checked_in(now, lease, broken, actions),
            Event::WorkerReady(worker) => self.worker_ready(now, worker, actions),
            Event::CallFinished(worker) => self.call_finished(now, worker, actions),
            Event::WorkerGrew(worker) => self.roster.mark_replaceable(worker),
            Event::WorkerAnswered(worker) => self.worker_answered(now, worker, actions),
            Event::WorkerExited { worker, undelivered } => self.worker_exited(now, worker, undelivered, actions),
            Event::Resized(size) => self.resized(now, size),
            Event::ReloadAsked(call) => self.reload_asked(now, call, actions),
            Event::DrainAsked(limit) => self.drain_asked(now, limit, actions),
            Event::TimePassed => {}
        }
        while let Some(timer) = self.timers.pop(now) {
            self.timer_fell_due(now, timer, actions);
        }
        self.replace_workers(now, actions);
        self.start_workers(now, actions);
        self.totals.max_waiting = self.totals.max_waiting.max(self.queue.len());
        self.totals.max_busy = self.totals.max_busy.max(self.roster.counts().busy);
    }

    fn timer_fell_due(&mut self, now: Instant, timer: Timer, actions: &mut Vec<Action>) {
        match timer {
            Timer::Checkout(call) => {
                if self.queue.remove(call).is_some() {
                    actions.push(Action::Refuse(call, Refusal::CheckoutTimeout));
                }
            }
            Timer::Retry(call) => self.retry_due(now, call, actions),
            Timer::Lease(lease) => self.end_lease(now, lease, Refusal::LeaseLostRunning, actions),
            Timer::Worker(worker) => self.worker_timer_fell_due(now, worker, actions),
            Timer::Age(worker) => self.roster.mark_replaceable(worker),
            Timer::Drain => self.drain_timed_out(now, actions),
            // Nothing but the end of the pause: `start_workers` looks at it after each event.
            Timer::BackOff => {}
        }
    }

    /// When `TimePassed` is due.
    pub fn next_timer(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// How many workers are in which state.
    pub fn counts(&self) -> Counts {
        self.roster.counts()
    }

    /// How many calls wait, and their bytes.
    pub fn waiting(&self) -> (usize, usize) {
        (self.queue.len(), self.queue.bytes())
    }

    /// Whether new calls are refused because no worker starts.
    pub fn is_crash_loop(&self) -> bool {
        self.backoff.is_crash_loop() && self.roster.counts().ready() == 0
    }

    /// What has been counted since the start.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// How many workers are leased.
    pub fn leased(&self) -> usize {
        self.leases.len()
    }

    /// Whether this lease has been granted and is not over.
    pub fn has_lease(&self, lease: CallId) -> bool {
        self.leases.contains_key(&lease)
    }

    /// The generation of workers that proved itself last.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Workers beyond `size`, but for those that are to be replaced and the one that is to prove a new generation.
    pub fn overflow(&self) -> usize {
        let wanted = self.roster.counts().useful() - self.roster.replaceable();
        wanted.saturating_sub(self.settings.size + usize::from(self.has_candidate()))
    }

    /// Workers that are always there.
    pub fn size(&self) -> usize {
        self.settings.size
    }

    /// Whether workers of an older generation are being replaced, or the first of a new one is being tried.
    pub fn is_reloading(&self) -> bool {
        self.reload.is_some()
            || self.roster.iter().any(|(id, worker)| worker.generation < self.generation && self.roster.is_useful(id))
    }

    /// Whether the pool takes no more calls.
    pub fn is_draining(&self) -> bool {
        self.drain.is_some()
    }

    /// Each worker's picture.
    pub fn workers(&self) -> impl Iterator<Item = Row> {
        self.roster.iter().map(|(id, worker)| Row {
            id,
            state: worker.state.name(),
            started: worker.started,
            calls: worker.calls,
            generation: worker.generation,
        })
    }

    /// The call that a worker runs and whose end somebody waits for.
    pub fn call_in_hand(&self, worker: WorkerId) -> Option<CallId> {
        match self.roster.state(worker)? {
            State::Busy(busy) if busy.awaited => Some(busy.call),
            _ => None,
        }
    }

    /// The call that a worker runs, for whomever.
    pub fn runs(&self, worker: WorkerId) -> Option<CallId> {
        match self.roster.state(worker)? {
            State::Busy(busy) => Some(busy.call),
            _ => None,
        }
    }

    /// Whether its worker died and it is to be made again, but not yet.
    pub fn is_retrying(&self, call: CallId) -> bool {
        self.retrying.contains_key(&call)
    }

    /// Whether it has not said hello yet.
    pub fn is_starting(&self, worker: WorkerId) -> bool {
        matches!(self.roster.state(worker), Some(State::Starting))
    }

    /// Whether it was asked to end.
    pub fn is_retiring(&self, worker: WorkerId) -> bool {
        matches!(self.roster.state(worker), Some(State::Stopping(Stop::Retired | Stop::Terminated)))
    }
}

/// What there is to say of a worker.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its number.
    pub id: WorkerId,
    /// The name of its state.
    pub state: &'static str,
    /// When it was started.
    pub started: Instant,
    /// Calls it has finished.
    pub calls: u64,
    /// Its generation.
    pub generation: u64,
}
