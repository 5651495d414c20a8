//! What a step has shown.

use super::plan::Step;
use crate::cli::times::Quantiles;

/// One step.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) step: Step,
    /// Calls with a result.
    pub(super) calls: u64,
    /// Calls without.
    pub(super) failed: u64,
    /// Calls with a result in each second.
    pub(super) calls_per_second: f64,
    /// From a call to its reply; of those with a result, like the next two.
    pub(super) total: Option<Quantiles>,
    /// Of that, in the queue.
    pub(super) queue: Option<Quantiles>,
    /// Of that, in a worker.
    pub(super) run: Option<Quantiles>,
    /// What a worker takes, in bytes, its part of what they share included.
    pub(super) memory: Option<u64>,
    /// The fraction of its time for which a worker uses a processor, from 0 to 1.
    pub(super) busy: Option<f64>,
}
