//! The limits of a call, the worker it wants, and what to do where there is a choice.

use std::time::Duration;

use super::id::WorkerId;

/// How long a call may wait and run; `None` means no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Maximum time in the queue.
    pub checkout_timeout: Option<Duration>,
    /// Maximum time in a worker.
    pub timeout: Option<Duration>,
    /// Maximum total time, from its arrival.
    pub deadline: Option<Duration>,
    /// How long it has after an interrupt if it runs too long; 0 kills it at once.
    pub grace: Duration,
}

/// What happens to a running call that is cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnCancel {
    /// Its worker is killed.
    Kill,
    /// It finishes, and the result is discarded.
    Finish,
}

/// Which worker a call wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Any.
    Any,
    /// The worker that last had this key, while it lives.
    Key(u64),
    /// This worker and no other.
    Worker(WorkerId),
    /// The worker of the owner's checkout with this id.
    Lease(u64),
}

/// The options of a call other than its limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What happens if it is cancelled while it runs.
    pub on_cancel: OnCancel,
    /// How often it is run again after its worker died; 0 unless it is idempotent.
    pub retry: u8,
    /// Whether the result says where and how long it ran.
    pub meta: bool,
}
