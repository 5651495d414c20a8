//! The vocabulary of the pool's core: its settings, events and actions.

use std::time::Duration;

use crate::call::{CallId, OnCancel, WorkerId};
use crate::config::Strategy;

/// The pool's shape and limits, `auto` resolved.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Number of permanent workers.
    pub size: usize,
    /// Maximum number of workers beyond `size`, while calls wait.
    pub max_overflow: usize,
    /// How long an idle worker beyond `size` stays.
    pub overflow_ttl: Duration,
    /// Which idle worker is next.
    pub strategy: Strategy,
    /// Maximum start time of a worker.
    pub start_timeout: Duration,
    /// How many workers may start at the same time.
    pub max_starting: usize,
    /// Maximum number of waiting calls.
    pub max_queue: usize,
    /// Maximum encoded size of all waiting calls, in bytes.
    pub max_queue_bytes: usize,
    /// Maximum number of calls per worker.
    pub max_calls: Option<u64>,
    /// The age at which a worker is replaced.
    pub max_age: Option<Duration>,
    /// How long a worker may be idle before it is asked whether it is alive.
    pub idle_check: Option<Duration>,
    /// How many workers a call may kill within ten minutes; 0 means no limit.
    pub quarantine: u32,
    /// Calls may be sent to a busy worker ahead of their time. While this many workers are busy, quick ones are, even if
    /// another worker is idle; `None` means that no call is sent ahead.
    pub prefetch: Option<usize>,
    /// Makes jitter repeatable.
    pub seed: u64,
}

/// What a job needs from the pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Encoded size, for the limit in bytes.
    pub bytes: usize,
    /// How long it may wait.
    pub checkout_timeout: Option<Duration>,
    /// How long it may take in total.
    pub deadline: Option<Duration>,
    /// Which worker may take it.
    pub placement: Placement,
    /// What it needs a worker for.
    pub purpose: Purpose,
    /// How long it will probably run. Only such a call may be sent ahead; `None` if nobody knows, or if it cannot be
    /// taken back.
    pub brief: Option<Duration>,
}

impl Demand {
    /// How long it may run, if it is a call.
    pub(super) fn timeout(&self) -> Option<Duration> {
        match &self.purpose {
            Purpose::Run(run) => run.timeout,
            Purpose::Lease(_) => None,
        }
    }
}

/// Which worker may take a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Placement {
    /// Any.
    Any,
    /// The worker that last had this key, while it lives.
    Key(u64),
    /// This worker and no other.
    Worker(WorkerId),
    /// The worker of this lease.
    Lease(CallId),
}

/// What a job needs a worker for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To run a call.
    Run(Run),
    /// To be leased for this long.
    Lease(Option<Duration>),
}

/// How to run a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// How long it may run.
    pub timeout: Option<Duration>,
    /// How long it has after an interrupt.
    pub grace: Duration,
    /// What happens if it is cancelled while it runs.
    pub on_cancel: OnCancel,
    /// How often it may still be run again after its worker died.
    pub retry: u8,
    /// A value that is the same for every call of the same function with the same arguments; `None` if its kills are
    /// not counted.
    pub fingerprint: Option<u64>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A job wants a worker: a call or a checkout. Its id gives its place in the queue: a large call may arrive after
    /// later ones and goes before them.
    CallArrived(CallId, Demand),
    /// The caller cancelled a call, a checkout or a lease.
    CallCancelled(CallId),
    /// The holder of a lease returned its worker.
    CheckedIn {
        /// Which lease.
        lease: CallId,
        /// The worker must not be used again.
        broken: bool,
    },
    /// A worker has said hello.
    WorkerReady(WorkerId),
    /// A worker has answered this call.
    CallFinished(WorkerId, CallId),
    /// What `TakeBack` has found in the pipe of a worker, oldest first: these calls have not begun. Those that are not
    /// among them have. If the call in hand is one of them, the worker has begun the next one in its place.
    TakenBack {
        /// The worker.
        worker: WorkerId,
        /// The calls.
        calls: Vec<CallId>,
    },
    /// A worker uses too much memory. It serves until its successor is ready.
    WorkerGrew(WorkerId),
    /// A worker's memory is inconsistent: it must not take another call, and its lease ends.
    WorkerSpoiled(WorkerId),
    /// A worker answered that it is alive.
    WorkerAnswered(WorkerId),
    /// A worker is dead and reaped, or could not be started at all.
    WorkerExited {
        /// The worker.
        worker: WorkerId,
        /// The calls that it had read and not answered. Others that were sent to it certainly had not begun.
        read: Vec<CallId>,
    },
    /// The number of permanent workers changes.
    Resized(usize),
    /// A reload was requested under this number.
    ReloadAsked(CallId),
    /// A drain was requested; running calls have this long to finish.
    DrainAsked(Option<Duration>),
    /// A timer may be due.
    TimePassed,
}

/// What to do, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Start a worker in the background; `WorkerReady` or `WorkerExited` follows.
    StartWorker {
        /// Its number.
        worker: WorkerId,
        /// Workers of one generation have seen the same code.
        generation: u64,
    },
    /// Hand a call to a worker that is idle, or leased by the call's lease.
    Dispatch(WorkerId, CallId),
    /// Send a call to a worker that runs another one, so that it can begin at once when that one has ended.
    Prefetch(WorkerId, CallId),
    /// A call that was sent ahead is the call of its worker now.
    Begin(WorkerId, CallId),
    /// Take back all calls that were sent ahead to this worker and that it has not read. `TakenBack` follows before any
    /// other event.
    TakeBack(WorkerId),
    /// Give a checkout its worker.
    Grant(WorkerId, CallId),
    /// A granted lease has ended.
    LeaseEnded(CallId),
    /// Ask an idle worker whether it is alive; `WorkerAnswered` or `WorkerExited` follows.
    PingWorker(WorkerId),
    /// Interrupt a worker's call, so that it can end by itself.
    InterruptWorker(WorkerId),
    /// Ask an idle worker to end; `WorkerExited` follows.
    RetireWorker(WorkerId),
    /// Ask it again, as the system does.
    TerminateWorker(WorkerId),
    /// Kill a worker's process group now; `WorkerExited` follows.
    KillWorker(WorkerId, KillCause),
    /// End a call, checkout or reload without a result.
    Refuse(CallId, Refusal),
    /// A reload succeeded.
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
    /// The lease in which its call ran has ended.
    LeaseEnded,
    /// It was asked to end and did not.
    RetireTimeout,
    /// It was asked whether it is alive and did not answer.
    Silent,
    /// It was still starting when it was no longer wanted.
    Superseded,
    /// The drain took too long.
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
    /// Its worker died before it had read the call, and so did others before.
    Undelivered {
        /// The last worker.
        worker: WorkerId,
        /// How many there were.
        workers: u8,
    },
    /// It has killed too many workers, and may not run for a while.
    Quarantined {
        /// How many workers it killed.
        kills: u32,
        /// How long it may not run.
        rest: Duration,
    },
    /// Its lease has ended.
    LeaseLost,
    /// The lease ended while it ran.
    LeaseLostRunning(WorkerId),
    /// The worker that it wanted is gone.
    WorkerGone(WorkerId),
    /// The new generation does not start.
    ReloadFailed,
    /// The pool accepts nothing more.
    Draining,
    /// The drain took too long while it ran.
    DrainTimeout(WorkerId),
}

impl Refusal {
    /// The worker that had the call.
    pub fn worker(self) -> Option<WorkerId> {
        match self {
            Self::CancelledRunning(worker)
            | Self::Timeout(worker)
            | Self::WorkerExit(worker)
            | Self::Undelivered { worker, .. }
            | Self::LeaseLostRunning(worker)
            | Self::DrainTimeout(worker) => Some(worker),
            _ => None,
        }
    }
}
