//! The words of the pool's core: what it is told at the start, what happened, what is to be done.

use std::time::Duration;

use crate::call::{CallId, OnCancel, WorkerId};
use crate::config::Strategy;

/// The pool's shape and limits, `auto` resolved.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Workers that are always there.
    pub size: usize,
    /// Workers beyond `size` while calls wait.
    pub max_overflow: usize,
    /// How long an idle worker beyond `size` stays.
    pub overflow_ttl: Duration,
    /// Which idle worker is next.
    pub strategy: Strategy,
    /// Longest start of a worker.
    pub start_timeout: Duration,
    /// How many may start at the same time.
    pub max_starting: usize,
    /// Calls that may wait.
    pub max_queue: usize,
    /// Encoded bytes that may wait.
    pub max_queue_bytes: usize,
    /// Calls that a worker runs at most.
    pub max_calls: Option<u64>,
    /// Age at which a worker is replaced.
    pub max_age: Option<Duration>,
    /// How long a worker may be idle before it is asked whether it is alive.
    pub idle_check: Option<Duration>,
    /// Workers that a call may kill within ten minutes; 0 is without limit.
    pub quarantine: u32,
    /// Makes jitter repeatable.
    pub seed: u64,
}

/// What a job demands of the pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Encoded size, for the bound in bytes.
    pub bytes: usize,
    /// How long it may wait.
    pub checkout_timeout: Option<Duration>,
    /// How long it may take in all.
    pub deadline: Option<Duration>,
    /// Which worker may take it.
    pub placement: Placement,
    /// What it needs the worker for.
    pub purpose: Purpose,
}

/// Which worker may take a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Placement {
    /// Any.
    Any,
    /// The one that had this key last, while it lives.
    Key(u64),
    /// This one and no other.
    Worker(WorkerId),
    /// The one of this lease.
    Lease(CallId),
}

/// What a job needs a worker for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To run a call.
    Run(Run),
    /// To be leased, for so long.
    Lease(Option<Duration>),
}

/// How a call is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// How long it may run.
    pub timeout: Option<Duration>,
    /// How long it has after an interrupt.
    pub grace: Duration,
    /// What becomes of it when it is cancelled while it runs.
    pub on_cancel: OnCancel,
    /// How often it may still be made again after its worker died.
    pub retry: u8,
    /// What it has in common with the same call made another time; `None` if nobody counts whom it kills.
    pub fingerprint: Option<u64>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Something wants a worker: a call, or a checkout. Its id says since when: a large one may come in behind later ones and
    /// goes before them.
    CallArrived(CallId, Demand),
    /// The caller gave a call, a checkout or a lease up.
    CallCancelled(CallId),
    /// The holder of a lease gave its worker back.
    CheckedIn {
        /// Which lease.
        lease: CallId,
        /// The worker is of no use any more.
        broken: bool,
    },
    /// A worker has said hello.
    WorkerReady(WorkerId),
    /// A worker's reply to its call is here.
    CallFinished(WorkerId),
    /// A worker takes too much memory.
    WorkerGrew(WorkerId),
    /// A worker that was asked is alive.
    WorkerAnswered(WorkerId),
    /// A worker is dead and reaped, or could not be started at all.
    WorkerExited {
        /// Which.
        worker: WorkerId,
        /// It is certain that it had not begun with its call.
        undelivered: bool,
    },
    /// There are to be so many workers.
    Resized(usize),
    /// Whoever has this number wants the workers to be replaced by new ones.
    ReloadAsked(CallId),
    /// No more calls; those that run have so long to end.
    DrainAsked(Option<Duration>),
    /// A timer may have fallen due.
    TimePassed,
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start a worker beside the loop; `WorkerReady` or `WorkerExited` will follow.
    StartWorker {
        /// Its number.
        worker: WorkerId,
        /// Workers of one generation have seen the same code.
        generation: u64,
    },
    /// Hand a call to a worker that is idle, or leased by the call's lease.
    Dispatch(WorkerId, CallId),
    /// A checkout has its worker.
    Grant(WorkerId, CallId),
    /// A lease that was granted is over.
    LeaseEnded(CallId),
    /// Ask a worker that is idle whether it is alive; `WorkerAnswered` or `WorkerExited` will follow.
    PingWorker(WorkerId),
    /// Interrupt a worker's call, so that it may end by itself.
    InterruptWorker(WorkerId),
    /// Ask a worker that has nothing to do to end; `WorkerExited` will follow.
    RetireWorker(WorkerId),
    /// Ask it again, as the system does.
    TerminateWorker(WorkerId),
    /// Kill a worker's process group now; `WorkerExited` will follow.
    KillWorker(WorkerId, KillCause),
    /// A call, checkout or reload has ended without a result.
    Refuse(CallId, Refusal),
    /// A reload has worked.
    Reloaded(CallId),
    /// After `DrainAsked`: no worker is left.
    Drained,
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
    /// The lease in which its call ran is over.
    LeaseEnded,
    /// It was asked to end and did not.
    RetireTimeout,
    /// It was asked whether it is alive and did not answer.
    Silent,
    /// It was still starting when it was not wanted any more.
    Superseded,
    /// The time to drain is over.
    DrainTimeout,
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
    /// It has killed so many workers; for so long it is not run again.
    Quarantined {
        /// How many.
        kills: u32,
        /// How long.
        rest: Duration,
    },
    /// Its lease is over.
    LeaseLost,
    /// The lease ended while it ran.
    LeaseLostRunning(WorkerId),
    /// The one worker that it wanted is gone.
    WorkerGone(WorkerId),
    /// The new generation does not start.
    ReloadFailed,
    /// The pool takes no more.
    Draining,
    /// The time to drain ended while it ran.
    DrainTimeout(WorkerId),
}

impl Refusal {
    /// The worker that had the call.
    pub fn worker(self) -> Option<WorkerId> {
        match self {
            Self::CancelledRunning(worker)
            | Self::Timeout(worker)
            | Self::WorkerExit(worker)
            | Self::LeaseLostRunning(worker)
            | Self::DrainTimeout(worker) => Some(worker),
            _ => None,
        }
    }
}
