//! How a job ended.

use std::time::Duration;

use bytes::Bytes;

use super::failure::Failure;
use super::id::WorkerId;
use crate::codec::NoneIs;

/// What the reply needs to know about the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// The atom that `None` becomes.
    pub none: NoneIs,
    /// Maximum size of the reply, in bytes.
    pub max_frame: usize,
}

/// The result of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Returned {
    /// As pickled by the worker.
    pub pickle: Bytes,
    /// How to write it.
    pub form: Form,
    /// Where and how long it ran, if requested.
    pub meta: Option<Meta>,
}

/// Where and how long a call ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Time in the queue.
    pub queue: Duration,
    /// Time in the worker.
    pub run: Duration,
    /// The worker.
    pub worker: WorkerId,
    /// Its operating system pid.
    pub pid: u32,
    /// 1, or more if it was run again.
    pub attempt: u32,
}

/// The success of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Success {
    /// A call's result.
    Returned(Returned),
    /// A leased worker.
    Leased {
        /// Its number.
        worker: WorkerId,
        /// Its operating system pid.
        pid: u32,
    },
    /// A new generation of workers.
    Reloaded,
    /// Everything printed before is on its way to the owner.
    Flushed,
}

/// How a job ended: its result, or why there is none.
pub type Outcome = Result<Success, Failure>;
