//! The result of a step.

use super::plan::Step;
use crate::cli::times::Quantiles;

/// The result of one step.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) step: Step,
    /// Calls with a result.
    pub(super) calls: u64,
    /// Calls without a result.
    pub(super) failed: u64,
    /// Calls with a result per second.
    pub(super) calls_per_second: f64,
    /// The time from a call to its reply. Like the next two, only of calls with a result.
    pub(super) total: Option<Quantiles>,
    /// The part of it in the queue.
    pub(super) queue: Option<Quantiles>,
    /// The part of it in a worker.
    pub(super) run: Option<Quantiles>,
    /// The memory of a worker in bytes, with its share of common pages.
    pub(super) memory: Option<u64>,
    /// The fraction of its time for which a worker uses a processor, from 0 to 1.
    pub(super) busy: Option<f64>,
}
