//! How something that was asked for ended.

use std::time::Duration;

use bytes::Bytes;

use super::failure::Failure;
use super::id::WorkerId;
use crate::codec::NoneIs;

/// What the reply to a call must know of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// What `None` is as a term.
    pub none: NoneIs,
    /// Largest reply, in bytes.
    pub max_frame: usize,
}

/// The result of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Returned {
    /// As the worker pickled it.
    pub pickle: Bytes,
    /// How it is to be written.
    pub form: Form,
    /// Where and how long it ran, for those who asked.
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
    /// 1, or more if it was made again.
    pub attempt: u32,
}

/// What somebody who asked for it gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Success {
    /// A call's result.
    Returned(Returned),
    /// A worker of one's own.
    Leased {
        /// Its number.
        worker: WorkerId,
        /// Its operating system pid.
        pid: u32,
    },
    /// A new generation of workers.
    Reloaded,
}

/// How something that was asked for ended: what there is, or why there is none.
pub type Outcome = Result<Success, Failure>;
