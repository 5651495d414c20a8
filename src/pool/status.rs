//! A snapshot of the pool: docs/protocol.md 10.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;

use super::core::{Core, Row, Totals};
use super::in_hand::InHand;
use super::roster::Counts;
use crate::call::{CallId, Failure, WorkerId};
use crate::worker::Handle;

/// A snapshot of the pool.
#[derive(Clone, Debug)]
pub struct Status {
    /// Number of permanent workers.
    pub size: usize,
    /// Maximum number of workers beyond `size`, while calls wait.
    pub max_overflow: usize,
    /// Workers by state.
    pub counts: Counts,
    /// Workers beyond `size`, without those that are stopping or about to be replaced.
    pub overflow: usize,
    /// Workers that are leased.
    pub leased: usize,
    /// Calls in the queue.
    pub waiting: usize,
    /// How many of them were sent to a busy worker ahead of their time.
    pub ahead: usize,
    /// Their encoded size.
    pub waiting_bytes: usize,
    /// Bytes of results on their way to the owner. Each counts as received from its worker and again as a packet.
    pub inflight_bytes: usize,
    /// Whether new calls are refused because no worker starts.
    pub crash_loop: bool,
    /// The last failed start since a worker was last ready.
    pub last_start_error: Option<Failure>,
    /// How the last worker ended that was not asked to.
    pub last_exit: Option<LastExit>,
    /// The counters since the start.
    pub totals: Totals,
    /// 1 at the start; increases with each successful reload.
    pub generation: u64,
    /// Whether older workers are still to be replaced.
    pub reloading: bool,
    /// Whether the pool accepts nothing more.
    pub draining: bool,
    /// One row per worker.
    pub workers: Vec<WorkerStatus>,
}

/// How a worker ended.
#[derive(Clone, Debug)]
pub struct LastExit {
    /// Its number.
    pub worker: WorkerId,
    /// Its operating system pid, if there was a process.
    pub pid: Option<u32>,
    /// How it ended, as text.
    pub how: String,
}

/// One worker's row.
#[derive(Clone, Debug)]
pub struct WorkerStatus {
    /// Its number.
    pub id: WorkerId,
    /// Its operating system pid; 0 until it has one.
    pub pid: u32,
    /// `starting`, `idle`, `busy`, `leased` or `stopping`.
    pub state: &'static str,
    /// Calls it has finished.
    pub calls: u64,
    /// The time since its start.
    pub age: Duration,
    /// Workers of one generation have seen the same code.
    pub generation: u64,
    /// Resident memory in bytes; 0 if unknown.
    pub memory: u64,
    /// The running call, and how long it has run.
    pub call: Option<(String, Duration)>,
}

/// What the snapshot is made from.
pub(super) struct Sources<'a> {
    pub(super) core: &'a Core,
    pub(super) workers: &'a BTreeMap<WorkerId, Handle>,
    pub(super) in_hand: &'a FxHashMap<CallId, InHand>,
    pub(super) max_overflow: usize,
    pub(super) inflight_bytes: usize,
    pub(super) last_start_error: Option<&'a Failure>,
    pub(super) last_exit: Option<&'a LastExit>,
}

impl Status {
    pub(super) fn of(sources: &Sources<'_>) -> Self {
        let core = sources.core;
        let (waiting, waiting_bytes) = core.waiting();
        let now = Instant::now();
        Self {
            size: core.size(),
            max_overflow: sources.max_overflow,
            counts: core.counts(),
            overflow: core.overflow(),
            leased: core.leased(),
            waiting,
            ahead: core.ahead(),
            waiting_bytes,
            inflight_bytes: sources.inflight_bytes,
            crash_loop: core.is_crash_loop(),
            last_start_error: sources.last_start_error.cloned(),
            last_exit: sources.last_exit.cloned(),
            totals: core.totals(),
            generation: core.generation(),
            reloading: core.is_reloading(),
            draining: core.is_draining(),
            workers: core.workers().map(|row| WorkerStatus::of(sources, row, now)).collect(),
        }
    }

    /// The state in Poolboy's terms.
    pub fn state(&self) -> &'static str {
        let may_start = self.counts.all() < self.size.saturating_add(self.max_overflow);
        match (self.counts.idle > 0, self.overflow > 0) {
            (true, false) => "ready",
            (_, true) if self.counts.idle > 0 || may_start => "overflow",
            (false, false) if may_start => "ready",
            _ => "full",
        }
    }
}

impl WorkerStatus {
    fn of(sources: &Sources<'_>, row: Row, now: Instant) -> Self {
        let handle = sources.workers.get(&row.id);
        let in_hand = sources.core.runs(row.id).and_then(|call| sources.in_hand.get(&call));
        let running =
            in_hand.and_then(|in_hand| Some((in_hand.job.name(), now.saturating_duration_since(in_hand.started?))));
        Self {
            id: row.id,
            pid: handle.and_then(Handle::pid).unwrap_or_default(),
            state: row.state,
            calls: row.calls,
            age: now.saturating_duration_since(row.started),
            generation: row.generation,
            memory: handle.and_then(Handle::memory).unwrap_or_default(),
            call: running,
        }
    }
}
