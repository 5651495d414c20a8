//! The calls that wait for a worker: first come, first served, limited in entries and bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use rustc_hash::FxHashMap;

use super::event::Demand;
use crate::call::{CallId, WorkerId};

/// What the core knows about a call until it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) demand: Demand,
    /// When it stops waiting.
    pub(super) expires: Option<Instant>,
    /// When it ends in any case.
    pub(super) deadline: Option<Instant>,
    /// How many workers died before they read it.
    pub(super) undelivered: u8,
    /// How many workers have died of it.
    pub(super) killed: u8,
    /// Whether it was cancelled after it had been sent ahead: it may have begun.
    pub(super) cancelled: bool,
}

impl Waiting {
    /// Starts waiting at `now`.
    pub(super) fn new(now: Instant, demand: Demand) -> Self {
        let deadline = demand.deadline.and_then(|limit| now.checked_add(limit));
        let mut waiting = Self { demand, expires: None, deadline, undelivered: 0, killed: 0, cancelled: false };
        waiting.wait_from(now);
        waiting
    }

    /// Starts the clock of the queue.
    pub(super) fn wait_from(&mut self, now: Instant) {
        let expires = self.demand.checkout_timeout.and_then(|limit| now.checked_add(limit));
        self.expires = earliest(expires, self.deadline);
    }

    /// Returns whether its total time is over.
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|at| at <= now)
    }

    pub(super) fn has_expired(&self, now: Instant) -> bool {
        self.expires.is_some_and(|at| at <= now)
    }
}

/// The earlier of two limits; `None` means no limit.
pub(super) fn earliest(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}

/// The line in which a call waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Line {
    /// For any worker.
    Any,
    /// For this one.
    Worker(WorkerId),
    /// In this lease.
    Lease(CallId),
    /// In the pipe of this worker.
    Ahead(WorkerId),
}

/// The queue. Call ids ascend with arrival. A map ordered by id is therefore a FIFO from which any entry can leave, and
/// in which a call that was not delivered returns to its old place.
#[derive(Debug)]
pub(super) struct Queue {
    any: BTreeMap<CallId, Waiting>,
    /// The calls that only one worker can take, and the line of each.
    bound: BTreeMap<(Line, CallId), Waiting>,
    lines: FxHashMap<CallId, Line>,
    /// The number of calls in the pipes of workers.
    ahead: usize,
    bytes: usize,
    max_calls: usize,
    max_bytes: usize,
}

impl Queue {
    /// An empty queue with these limits.
    pub(super) fn new(max_calls: usize, max_bytes: usize) -> Self {
        let (any, bound, lines) = (BTreeMap::new(), BTreeMap::new(), FxHashMap::default());
        Self { any, bound, lines, ahead: 0, bytes: 0, max_calls, max_bytes }
    }

    /// Returns whether a call of this size may wait, if workers that are starting will take `spare_capacity` calls. An
    /// empty queue accepts a call of any size.
    pub(super) fn has_room(&self, bytes: usize, spare_capacity: usize) -> bool {
        self.len() < self.max_calls.saturating_add(spare_capacity)
            && (self.len() == 0 || self.bytes.saturating_add(bytes) <= self.max_bytes)
    }

    pub(super) fn insert(&mut self, line: Line, call: CallId, waiting: Waiting) {
        self.bytes = self.bytes.saturating_add(waiting.demand.bytes);
        if line == Line::Any {
            self.any.insert(call, waiting);
        } else {
            self.ahead += usize::from(matches!(line, Line::Ahead(_)));
            self.lines.insert(call, line);
            self.bound.insert((line, call), waiting);
        }
    }

    /// The worker in whose pipe a call is.
    pub(super) fn ahead_of(&self, call: CallId) -> Option<WorkerId> {
        match self.lines.get(&call) {
            Some(Line::Ahead(worker)) => Some(*worker),
            _ => None,
        }
    }

    /// A call in the pipe of a worker, to mark it as cancelled.
    pub(super) fn get_ahead(&mut self, worker: WorkerId, call: CallId) -> Option<&mut Waiting> {
        self.bound.get_mut(&(Line::Ahead(worker), call))
    }

    pub(super) fn remove(&mut self, call: CallId) -> Option<Waiting> {
        let waiting = match self.lines.remove(&call) {
            Some(line) => {
                self.ahead -= usize::from(matches!(line, Line::Ahead(_)));
                self.bound.remove(&(line, call))
            }
            None => self.any.remove(&call),
        }?;
        self.bytes = self.bytes.saturating_sub(waiting.demand.bytes);
        Some(waiting)
    }

    /// Removes the first call that this worker can take.
    pub(super) fn pop_for(&mut self, worker: WorkerId) -> Option<(CallId, Waiting)> {
        let (call, _) = self.first_for(worker)?;
        self.remove(call).map(|waiting| (call, waiting))
    }

    /// The first call that any worker can take.
    pub(super) fn first_unbound(&self) -> Option<&Waiting> {
        self.any.first_key_value().map(|(_, waiting)| waiting)
    }

    /// The first call that this worker can take.
    pub(super) fn first_for(&self, worker: WorkerId) -> Option<(CallId, &Waiting)> {
        let any = self.any.first_key_value().map(|(call, waiting)| (*call, waiting));
        let bound = self.first_of(Line::Worker(worker));
        any.into_iter().chain(bound).min_by_key(|(call, _)| *call)
    }

    /// Removes the first call of a line.
    pub(super) fn pop(&mut self, line: Line) -> Option<(CallId, Waiting)> {
        let (call, _) = self.first_of(line)?;
        self.remove(call).map(|waiting| (call, waiting))
    }

    fn first_of(&self, line: Line) -> Option<(CallId, &Waiting)> {
        if self.bound.len() == self.ahead {
            return None;
        }
        let all = (line, CallId(0))..=(line, CallId(u64::MAX));
        self.bound.range(all).next().map(|((_, call), waiting)| (*call, waiting))
    }

    /// Removes all calls of all lines, except those in the pipes of workers.
    pub(super) fn take_all(&mut self) -> BTreeSet<CallId> {
        let bound = self.lines.iter().filter(|(_, line)| !matches!(line, Line::Ahead(_))).map(|(call, _)| *call);
        let all: BTreeSet<CallId> = self.any.keys().copied().chain(bound).collect();
        for call in &all {
            self.remove(*call);
        }
        all
    }

    pub(super) fn len(&self) -> usize {
        self.any.len() + self.bound.len()
    }

    /// The number of calls that any worker can take.
    pub(super) fn unbound(&self) -> usize {
        self.any.len()
    }

    /// The number of calls in the pipes of workers.
    pub(super) fn ahead(&self) -> usize {
        self.ahead
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}
