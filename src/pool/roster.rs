//! The workers and their states, with counts by state that are always right.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use super::queue::Waiting;
use crate::call::{CallId, WorkerId};
use crate::config::Strategy;

/// The life of a worker.
#[derive(Debug)]
pub(super) enum State {
    Starting,
    Idle,
    /// Leased, without a call at the moment.
    Leased,
    Busy(Busy),
    /// Asked to end or killed; holds its slot until it is reaped.
    Stopping(Stop),
}

/// A worker's call.
#[derive(Debug)]
pub(super) struct Busy {
    pub(super) call: CallId,
    pub(super) waiting: Waiting,
    /// Whether somebody waits for its end. Nobody does after it was cancelled and left to finish.
    pub(super) awaited: bool,
    /// Whether it has been interrupted.
    pub(super) interrupted: bool,
    /// It is to be stopped, as soon as the calls that were sent ahead have been taken back.
    pub(super) stop: Option<StopCall>,
}

/// Why a call is to be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StopCall {
    /// It runs too long.
    Late,
    /// It was cancelled.
    Cancelled,
}

/// The calls that were sent ahead to a worker.
#[derive(Debug)]
pub(super) struct Ahead {
    /// In the order in which the worker reads them.
    pub(super) calls: VecDeque<CallId>,
    pub(super) pipe: Pipe,
    /// How long they will probably run, with the call before them.
    pub(super) work: Duration,
    /// When the worker last went on to its next call.
    pub(super) moved: Instant,
}

/// What is known about the pipe of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pipe {
    /// Calls may be sent ahead, and the worker may or may not have read them.
    Open,
    /// They are being taken back.
    Asked,
    /// They were taken back. Those that are left have begun, so the calls before them have been answered. No call is
    /// sent ahead until the worker has finished one.
    Closed,
}

impl Ahead {
    fn none(now: Instant) -> Self {
        Self { calls: VecDeque::new(), pipe: Pipe::Open, work: Duration::ZERO, moved: now }
    }
}

/// Why a worker is stopping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// It was asked to end.
    Retired,
    /// It was asked again, as the system does.
    Terminated,
    /// It was killed; true if that counts as a failed start.
    Killed(bool),
}

#[derive(Debug)]
pub(super) struct Worker {
    pub(super) state: State,
    pub(super) generation: u64,
    pub(super) started: Instant,
    /// Whether it has said hello.
    pub(super) ready: bool,
    /// The number of calls it has finished.
    pub(super) calls: u64,
    /// The number of calls it may still take; `None` means no limit.
    pub(super) calls_left: Option<u64>,
    /// Must be replaced, between calls, once its successor is ready.
    pub(super) replaceable: bool,
    /// Must not take another call.
    pub(super) exhausted: bool,
    /// Was asked whether it is alive, and has not answered.
    pub(super) pinged: bool,
    /// The lease that holds it.
    pub(super) lease: Option<CallId>,
    pub(super) ahead: Ahead,
}

/// The number of workers by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Not ready yet.
    pub starting: usize,
    /// Waiting for a call.
    pub idle: usize,
    /// Running a call, or leased.
    pub busy: usize,
    /// Asked to end or killed, not yet reaped.
    pub stopping: usize,
}

impl Counts {
    /// All that hold a slot.
    pub fn all(self) -> usize {
        self.starting + self.idle + self.busy + self.stopping
    }

    /// Those that have said hello and are not about to end.
    pub fn ready(self) -> usize {
        self.idle + self.busy
    }

    /// Those that can take a call now or later.
    pub(super) fn useful(self) -> usize {
        self.starting + self.ready()
    }

    fn of(&mut self, state: &State) -> &mut usize {
        match state {
            State::Starting => &mut self.starting,
            State::Idle => &mut self.idle,
            State::Leased | State::Busy(_) => &mut self.busy,
            State::Stopping(_) => &mut self.stopping,
        }
    }
}

/// The workers of a pool.
#[derive(Debug)]
pub(super) struct Roster {
    workers: BTreeMap<WorkerId, Worker>,
    counts: Counts,
    /// Idle workers, the most recently used at the back.
    idle: VecDeque<WorkerId>,
    strategy: Strategy,
    /// The number of useful workers that are replaceable.
    replaceable: usize,
    /// Workers that were asked whether they are alive, and have not answered.
    pinged: usize,
    next: u64,
}

impl Roster {
    pub(super) fn new(strategy: Strategy) -> Self {
        let (workers, counts, idle) = (BTreeMap::new(), Counts::default(), VecDeque::new());
        Self { workers, counts, idle, strategy, replaceable: 0, pinged: 0, next: 1 }
    }

    /// Adds a worker that is about to start.
    pub(super) fn enter(&mut self, now: Instant, generation: u64, calls_left: Option<u64>) -> WorkerId {
        let id = WorkerId(self.next);
        self.next += 1;
        let (replaceable, exhausted, pinged, lease) = (false, false, false, None);
        let (state, started, ready, calls) = (State::Starting, now, false, 0);
        let ahead = Ahead::none(now);
        let worker = Worker {
            state,
            generation,
            started,
            ready,
            calls,
            calls_left,
            replaceable,
            exhausted,
            pinged,
            lease,
            ahead,
        };
        self.counts.starting += 1;
        self.workers.insert(id, worker);
        id
    }

    /// Removes a worker that is gone.
    pub(super) fn remove(&mut self, id: WorkerId) -> Option<Worker> {
        let worker = self.workers.remove(&id)?;
        *self.counts.of(&worker.state) -= 1;
        self.replaceable -= usize::from(worker.is_to_be_replaced());
        self.pinged -= usize::from(worker.pinged);
        self.idle.retain(|idle| *idle != id);
        Some(worker)
    }

    /// Sets a worker's state, which happens only here; returns the previous one.
    pub(super) fn set_state(&mut self, id: WorkerId, state: State) -> Option<State> {
        let worker = self.workers.get_mut(&id)?;
        let counted = worker.is_to_be_replaced();
        match (&worker.state, &state) {
            (State::Idle, State::Idle) => {}
            (State::Idle, _) => self.idle.retain(|idle| *idle != id),
            (_, State::Idle) => self.idle.push_back(id),
            _ => {}
        }
        *self.counts.of(&state) += 1;
        *self.counts.of(&worker.state) -= 1;
        let before = std::mem::replace(&mut worker.state, state);
        self.replaceable -= usize::from(counted);
        self.replaceable += usize::from(worker.is_to_be_replaced());
        Some(before)
    }

    /// Marks a worker as replaceable.
    pub(super) fn mark_replaceable(&mut self, id: WorkerId) {
        if let Some(worker) = self.workers.get_mut(&id) {
            let counted = worker.is_to_be_replaced();
            worker.replaceable = true;
            self.replaceable += usize::from(!counted && worker.is_to_be_replaced());
        }
    }

    pub(super) fn get(&self, id: WorkerId) -> Option<&Worker> {
        self.workers.get(&id)
    }

    /// A worker, to change anything except `state` and `replaceable`.
    pub(super) fn get_mut(&mut self, id: WorkerId) -> Option<&mut Worker> {
        self.workers.get_mut(&id)
    }

    pub(super) fn state(&self, id: WorkerId) -> Option<&State> {
        self.workers.get(&id).map(|worker| &worker.state)
    }

    /// The idle worker to use next. Workers that owe an answer to a ping come last.
    pub(super) fn next_idle(&self) -> Option<WorkerId> {
        let next = match self.strategy {
            Strategy::Lifo => self.idle.back(),
            Strategy::Fifo => self.idle.front(),
        };
        if self.pinged == 0 {
            return next.copied();
        }
        let answers = |id: &&WorkerId| self.workers.get(id).is_some_and(|worker| !worker.pinged);
        let answering = match self.strategy {
            Strategy::Lifo => self.idle.iter().rev().find(answers),
            Strategy::Fifo => self.idle.iter().find(answers),
        };
        answering.or(next).copied()
    }

    /// Records that a worker is asked whether it is alive; false if it already was.
    pub(super) fn ping(&mut self, id: WorkerId) -> bool {
        let worker = self.workers.get_mut(&id).filter(|worker| !worker.pinged);
        let asked = worker.map(|worker| worker.pinged = true).is_some();
        self.pinged += usize::from(asked);
        asked
    }

    /// Records that a worker has shown that it is alive; false if it was not asked.
    pub(super) fn answered(&mut self, id: WorkerId) -> bool {
        if self.pinged == 0 {
            return false;
        }
        let worker = self.workers.get_mut(&id).filter(|worker| worker.pinged);
        let was_asked = worker.map(|worker| worker.pinged = false).is_some();
        self.pinged -= usize::from(was_asked);
        was_asked
    }

    pub(super) fn is_idle(&self, id: WorkerId) -> bool {
        matches!(self.state(id), Some(State::Idle))
    }

    /// Returns whether it can take a call now or later.
    pub(super) fn is_useful(&self, id: WorkerId) -> bool {
        self.state(id).is_some_and(|state| !matches!(state, State::Stopping(_)))
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// The number of useful workers that are replaceable.
    pub(super) fn replaceable(&self) -> usize {
        self.replaceable
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (WorkerId, &Worker)> {
        self.workers.iter().map(|(id, worker)| (*id, worker))
    }

    /// The idle workers, the one idle longest first.
    pub(super) fn idle(&self) -> impl Iterator<Item = WorkerId> {
        self.idle.iter().copied()
    }
}

impl Worker {
    fn is_to_be_replaced(&self) -> bool {
        self.replaceable && !matches!(self.state, State::Stopping(_))
    }
}

impl State {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Idle => "idle",
            Self::Leased => "leased",
            Self::Busy(_) => "busy",
            Self::Stopping(_) => "stopping",
        }
    }

    /// How much its end would hurt: the lower, the less.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::Idle => 0,
            Self::Starting => 1,
            _ => 2,
        }
    }
}
