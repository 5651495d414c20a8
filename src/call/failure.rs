//! Why there is no result: the closed list of reasons, with the details of each case.

use std::fmt;

use serde_json::{Map, Value};

/// Why a call has no result, or a request was refused. The table is docs/protocol.md 9.2; a test compares the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No worker was free in time; the call did not run.
    CheckoutTimeout,
    /// The queue is full.
    QueueFull,
    /// Workers do not start.
    CrashLoop,
    /// A worker did not become ready.
    WorkerStart,
    /// The call ran too long and was stopped.
    Timeout,
    /// The caller cancelled it.
    Cancelled,
    /// The module or function does not exist, or the function does not take these arguments.
    Undef,
    /// The pool does not allow calls to this function.
    Denied,
    /// The function raised.
    Exception,
    /// The worker died while it ran the call.
    WorkerExit,
    /// This call has killed too many workers.
    Quarantined,
    /// The lease that it should run in has ended.
    LeaseLost,
    /// The one worker that it should run on is gone.
    WorkerGone,
    /// The other side cannot represent an argument or a result.
    Unencodable,
    /// A request or reply is larger than a frame may be.
    TooLarge,
    /// The packet, a term in it or an option is invalid.
    BadRequest,
    /// The server is stopping.
    Shutdown,
    /// A defect of the server.
    Internal,
}

impl Reason {
    /// All reasons, in the order of the table.
    pub const ALL: [Self; 18] = [
        Self::CheckoutTimeout,
        Self::QueueFull,
        Self::CrashLoop,
        Self::WorkerStart,
        Self::Timeout,
        Self::Cancelled,
        Self::Undef,
        Self::Denied,
        Self::Exception,
        Self::WorkerExit,
        Self::Quarantined,
        Self::LeaseLost,
        Self::WorkerGone,
        Self::Unencodable,
        Self::TooLarge,
        Self::BadRequest,
        Self::Shutdown,
        Self::Internal,
    ];

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::CheckoutTimeout => "checkout_timeout",
            Self::QueueFull => "queue_full",
            Self::CrashLoop => "crash_loop",
            Self::WorkerStart => "worker_start",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
            Self::Undef => "undef",
            Self::Denied => "denied",
            Self::Exception => "exception",
            Self::WorkerExit => "worker_exit",
            Self::Quarantined => "quarantined",
            Self::LeaseLost => "lease_lost",
            Self::WorkerGone => "worker_gone",
            Self::Unencodable => "unencodable",
            Self::TooLarge => "too_large",
            Self::BadRequest => "bad_request",
            Self::Shutdown => "shutdown",
            Self::Internal => "internal",
        }
    }

    /// Returns whether the same call can succeed if it is made again.
    pub fn retryable(self) -> bool {
        match self {
            Self::CheckoutTimeout
            | Self::QueueFull
            | Self::CrashLoop
            | Self::WorkerStart
            | Self::WorkerExit
            | Self::Shutdown
            | Self::Internal => true,
            Self::Timeout
            | Self::Cancelled
            | Self::Undef
            | Self::Denied
            | Self::Exception
            | Self::Quarantined
            | Self::LeaseLost
            | Self::WorkerGone
            | Self::Unencodable
            | Self::TooLarge
            | Self::BadRequest => false,
        }
    }
}

/// Where in the life of a call it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// While it waited for a worker.
    Checkout,
    /// While a worker started.
    Start,
    /// While it was read, or while it ran.
    Call,
    /// While its result was written.
    Reply,
}

impl Phase {
    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Checkout => "checkout",
            Self::Start => "start",
            Self::Call => "call",
            Self::Reply => "reply",
        }
    }
}

/// Whose fault it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The caller.
    Caller,
    /// The Python code, or the process that ran it.
    Worker,
    /// The pool or the server.
    Server,
}

impl Blame {
    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Worker => "worker",
            Self::Server => "server",
        }
    }
}

/// Everything known about a call without a result: docs/protocol.md 9.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// The kind of failure.
    pub reason: Reason,
    /// Where it happened.
    pub phase: Phase,
    /// Whose fault it was.
    pub blame: Blame,
    /// What happened and what to do, for people.
    pub message: String,
    /// Details for programs; the keys are those of the table.
    pub detail: Map<String, Value>,
}

impl Failure {
    /// A failure without detail.
    pub fn new(reason: Reason, phase: Phase, blame: Blame, message: impl Into<String>) -> Self {
        Self { reason, phase, blame, message: message.into(), detail: Map::new() }
    }

    /// The caller's packet, term or option is invalid.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(Reason::BadRequest, Phase::Call, Blame::Caller, message)
    }

    /// Adds an entry to the detail.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.detail.insert(key.to_owned(), value.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason.name(), self.message)
    }
}
