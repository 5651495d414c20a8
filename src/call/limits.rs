//! What a call may take, which worker it wants, and what happens where there is a choice.

use std::time::Duration;

use super::id::WorkerId;

/// How long a call may wait and how long it may run; `None` is without limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest time in the queue.
    pub checkout_timeout: Option<Duration>,
    /// Longest time in a worker.
    pub timeout: Option<Duration>,
    /// Longest time in all, from its arrival.
    pub deadline: Option<Duration>,
    /// How long it has after an interrupt when it ran too long; 0: it is killed at once.
    pub grace: Duration,
}

/// What becomes of a running call that is cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnCancel {
    /// Its worker is killed.
    Kill,
    /// It runs to its end, for nobody.
    Finish,
}

/// Which worker a call wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Any.
    Any,
    /// The one that had this key last, while it lives.
    Key(u64),
    /// This one and no other.
    Worker(WorkerId),
    /// The one that the owner's checkout of this id was given.
    Lease(u64),
}

/// How a call is to be treated beside its limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What becomes of it when it is cancelled while it runs.
    pub on_cancel: OnCancel,
    /// How often it is made again after its worker died; 0 unless it is idempotent.
    pub retry: u8,
    /// Whether its result tells where and how long it ran.
    pub meta: bool,
}
