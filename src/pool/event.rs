//! The words of the pool's core: what it is told at the start, what happened, what is to be done.

use std::time::Duration;

use crate::call::{CallId, WorkerId};

/// The pool's shape and limits, `auto` resolved.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Workers that are always there.
    pub size: usize,
    /// Workers beyond `size` while calls wait.
    pub max_overflow: usize,
    /// How long an idle worker beyond `size` stays.
    pub overflow_ttl: Duration,
    /// Longest start of a worker.
    pub start_timeout: Duration,
    /// How many may start at the same time.
    pub max_starting: usize,
    /// Calls that may wait.
    pub max_queue: usize,
    /// Encoded bytes that may wait.
    pub max_queue_bytes: usize,
    /// Makes the jitter of the back-off repeatable.
    pub seed: u64,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A call wants a worker. Its id says since when: a large one may come in behind later ones and goes before them.
    CallArrived {
        /// Its number.
        call: CallId,
        /// Its encoded size.
        bytes: usize,
        /// How long it may wait.
        checkout_timeout: Option<Duration>,
        /// How long it may run.
        timeout: Option<Duration>,
    },
    /// The caller gave a call up.
    CallCancelled(CallId),
    /// A worker has said hello.
    WorkerReady(WorkerId),
    /// A worker's reply to its call is here.
    CallFinished(WorkerId),
    /// A worker is dead and reaped, or could not be started at all.
    WorkerExited {
        /// Which.
        worker: WorkerId,
        /// It is certain that it had not begun with its call.
        undelivered: bool,
    },
    /// A timer may have fallen due.
    TimePassed,
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start a worker beside the loop; `WorkerReady` or `WorkerExited` will follow.
    StartWorker(WorkerId),
    /// Hand a waiting call to a worker that is idle.
    Dispatch(WorkerId, CallId),
    /// Ask an idle worker to end; `WorkerExited` will follow.
    RetireWorker(WorkerId),
    /// Kill a worker's process group now; `WorkerExited` will follow.
    KillWorker(WorkerId, KillCause),
    /// A call has ended without a result.
    Refuse(CallId, Refusal),
}

/// Why a worker is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KillCause {
    /// It did not say hello within `start_timeout`.
    StartTimeout,
    /// Its call ran longer than `timeout`.
    Timeout,
    /// Its call was cancelled.
    Cancelled,
    /// It was asked to end and did not.
    RetireTimeout,
}

/// Why a call ended without a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The queue is at its limit.
    QueueFull,
    /// No worker starts.
    CrashLoop,
    /// It waited too long.
    CheckoutTimeout,
    /// It was cancelled while it waited.
    CancelledWaiting,
    /// It was cancelled while it ran.
    CancelledRunning(WorkerId),
    /// It ran too long.
    Timeout(WorkerId),
    /// Its worker died.
    WorkerExit(WorkerId),
}

impl Refusal {
    /// The worker that had the call.
    pub fn worker(self) -> Option<WorkerId> {
        match self {
            Self::CancelledRunning(worker) | Self::Timeout(worker) | Self::WorkerExit(worker) => Some(worker),
            Self::QueueFull | Self::CrashLoop | Self::CheckoutTimeout | Self::CancelledWaiting => None,
        }
    }
}
