//! The pool as it stands: docs/protocol.md 10.

use std::time::Duration;

use super::core::Counts;
use crate::call::{Failure, WorkerId};

/// A picture of the pool.
#[derive(Clone, Debug)]
pub struct Status {
    /// Workers that are always there.
    pub size: usize,
    /// Workers beyond that while calls wait.
    pub max_overflow: usize,
    /// Workers by state.
    pub counts: Counts,
    /// Calls in the queue.
    pub waiting: usize,
    /// Their encoded size.
    pub waiting_bytes: usize,
    /// Whether new calls are refused because no worker starts.
    pub crash_loop: bool,
    /// The newest start that failed since a worker was last ready.
    pub last_start_error: Option<Failure>,
    /// Calls that ended in a worker.
    pub calls: u64,
    /// Workers that were replaced after they died or were killed.
    pub restarts: u64,
    /// One row each.
    pub workers: Vec<WorkerStatus>,
}

/// One worker's row.
#[derive(Clone, Debug)]
pub struct WorkerStatus {
    /// Its number.
    pub id: WorkerId,
    /// Its operating system pid; 0 until it has one.
    pub pid: u32,
    /// `starting`, `idle`, `busy` or `stopping`.
    pub state: &'static str,
    /// Calls it has finished.
    pub calls: u64,
    /// Since its start.
    pub age: Duration,
}

impl Status {
    /// Poolboy's word for it.
    pub fn state(&self) -> &'static str {
        let may_start = self.counts.all() < self.size.saturating_add(self.max_overflow);
        match (self.counts.idle > 0, self.overflow() > 0) {
            (true, false) => "ready",
            (_, true) if self.counts.idle > 0 || may_start => "overflow",
            (false, false) if may_start => "ready",
            _ => "full",
        }
    }

    /// Workers beyond `size`; one that is stopping is of no use any more and does not count.
    pub fn overflow(&self) -> usize {
        (self.counts.all() - self.counts.stopping).saturating_sub(self.size)
    }
}
