//! The calls that wait for a worker: first come, first served, bounded in entries and bytes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::call::CallId;

/// What the core knows of a call until it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    /// Encoded size, for the bound in bytes.
    pub(super) bytes: usize,
    /// When it stops to wait.
    pub(super) expires: Option<Instant>,
    /// How long it may run.
    pub(super) timeout: Option<Duration>,
    /// How many workers have failed to read it.
    pub(super) undelivered: u8,
}

/// The queue. Call ids rise with arrival, so a map ordered by id is a FIFO from which any entry can leave, and to which a call
/// that was not delivered comes back in its old place.
#[derive(Debug)]
pub(super) struct Queue {
    calls: BTreeMap<CallId, Waiting>,
    bytes: usize,
    max_calls: usize,
    max_bytes: usize,
}

impl Queue {
    /// An empty queue with these bounds.
    pub(super) fn new(max_calls: usize, max_bytes: usize) -> Self {
        Self { calls: BTreeMap::new(), bytes: 0, max_calls, max_bytes }
    }

    /// Whether a call of this size may wait, where so many calls will be taken by workers that are on their way. An empty queue
    /// takes a call of any size.
    pub(super) fn has_room(&self, bytes: usize, workers_to_come: usize) -> bool {
        self.calls.len() < self.max_calls.saturating_add(workers_to_come)
            && (self.calls.is_empty() || self.bytes.saturating_add(bytes) <= self.max_bytes)
    }

    pub(super) fn insert(&mut self, call: CallId, waiting: Waiting) {
        self.bytes = self.bytes.saturating_add(waiting.bytes);
        self.calls.insert(call, waiting);
    }

    pub(super) fn remove(&mut self, call: CallId) -> Option<Waiting> {
        let waiting = self.calls.remove(&call)?;
        self.bytes = self.bytes.saturating_sub(waiting.bytes);
        Some(waiting)
    }

    pub(super) fn pop(&mut self) -> Option<(CallId, Waiting)> {
        let (call, waiting) = self.calls.pop_first()?;
        self.bytes = self.bytes.saturating_sub(waiting.bytes);
        Some((call, waiting))
    }

    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}
