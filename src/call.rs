//! The values that flow through every room: a call, its limits, its outcome.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::codec::NoneIs;

/// The server's own number of a call: rising, never used twice. What the owner of the port chose is its `PortId`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(pub u64);

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The number of a worker: rising, never used twice, so that it also tells one incarnation from the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkerId(pub u64);

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What is called: `auto_stacking:optimize`. The arguments travel encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mfa {
    /// The module, dotted if it is inside a package.
    pub module: Arc<str>,
    /// The function, dotted if it is an attribute of something in the module.
    pub function: Arc<str>,
}

impl fmt::Display for Mfa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.module, self.function)
    }
}

/// A call that a worker or a template makes while it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartCall {
    /// What is called, for messages.
    pub mfa: Mfa,
    /// As the body of a call frame, without buffers.
    pub pickle: Bytes,
}

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

/// What the reply to a call must know of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// What `None` is as a term.
    pub none: NoneIs,
    /// Largest reply, in bytes.
    pub max_frame: usize,
}

/// The body of a call frame: docs/worker_protocol.md 2.3. Shared, because a call that was not delivered is sent again: a
/// clone copies none of the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// The pickle.
    pub pickle: Bytes,
    /// The large `bytes` beside it, less than 65,536, parts of the packet that they came in.
    pub buffers: Vec<Bytes>,
}

impl Body {
    /// How many bytes that is.
    pub fn size(&self) -> usize {
        self.buffers.iter().map(Bytes::len).fold(self.pickle.len(), usize::saturating_add)
    }
}

impl From<Vec<u8>> for Body {
    fn from(pickle: Vec<u8>) -> Self {
        Self { pickle: pickle.into(), buffers: Vec::new() }
    }
}

/// One call, ready to be handed to a worker.
#[derive(Clone, Debug)]
pub struct Call {
    /// What is called, for messages and logs.
    pub mfa: Mfa,
    /// What the worker gets.
    pub body: Body,
    /// Its clocks.
    pub limits: Limits,
    /// Where it is to run.
    pub target: Target,
    /// What to do where there is a choice.
    pub policy: Policy,
    /// How its result is to be written.
    pub form: Form,
    /// When the server had read it.
    pub arrived: Instant,
}

impl Call {
    /// Counts the time since its arrival as waited; 0 stays what it is: only if a worker is idle now.
    #[must_use]
    pub fn waited(mut self) -> Self {
        let least = |limit: Duration| limit.min(Duration::from_millis(1));
        let left = |limit: Duration| limit.saturating_sub(self.arrived.elapsed()).max(least(limit));
        self.limits.checkout_timeout = self.limits.checkout_timeout.map(left);
        self.limits.deadline = self.limits.deadline.map(|limit| limit.saturating_sub(self.arrived.elapsed()));
        self
    }

    /// What it has in common with the same call made another time.
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.mfa.module, &self.mfa.function, &self.body.pickle, &self.body.buffers).hash(&mut hasher);
        hasher.finish()
    }
}

/// A wish for a worker of one's own.
#[derive(Clone, Copy, Debug)]
pub struct Checkout {
    /// Longest time in the queue.
    pub checkout_timeout: Option<Duration>,
    /// Longest time until it is granted, from its arrival.
    pub deadline: Option<Duration>,
    /// Longest lease.
    pub lease_timeout: Option<Duration>,
    /// Which worker; never one of a lease.
    pub target: Target,
    /// When the server had read it.
    pub arrived: Instant,
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

/// Why a call has no result, or a request was refused. The table is docs/protocol.md 9.2; a test compares the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// No worker was free in time; the call did not run.
    CheckoutTimeout,
    /// The queue is at its limit.
    QueueFull,
    /// Workers do not start.
    CrashLoop,
    /// A worker did not get ready.
    WorkerStart,
    /// The call ran too long and was stopped.
    Timeout,
    /// The caller gave it up.
    Cancelled,
    /// There is no such module or function, or it does not take these arguments.
    Undef,
    /// The pool does not allow calls of this function.
    Denied,
    /// The function raised.
    Exception,
    /// The worker died while it ran the call.
    WorkerExit,
    /// This call has killed too many workers.
    Quarantined,
    /// The lease in which it was to run is over.
    LeaseLost,
    /// An argument or a result has no form on the other side.
    Unencodable,
    /// A request or a reply is larger than a frame may be.
    TooLarge,
    /// The packet, a term in it or an option is wrong.
    BadRequest,
    /// The server is stopping.
    Shutdown,
    /// A defect of the server.
    Internal,
}

impl Reason {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 17] = [
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
            Self::Unencodable => "unencodable",
            Self::TooLarge => "too_large",
            Self::BadRequest => "bad_request",
            Self::Shutdown => "shutdown",
            Self::Internal => "internal",
        }
    }

    /// Whether the same call can succeed if it is made again.
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
    /// While it was read, or ran.
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
    /// Who made the call.
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

/// Everything that is known of a call that has no result: docs/protocol.md 9.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// What kind of failure.
    pub reason: Reason,
    /// Where it happened.
    pub phase: Phase,
    /// Whose fault it was.
    pub blame: Blame,
    /// What happened and what to do, for people.
    pub message: String,
    /// What a program may want to know; the keys are those of the table.
    pub detail: Map<String, Value>,
}

impl Failure {
    /// A failure without detail.
    pub fn new(reason: Reason, phase: Phase, blame: Blame, message: impl Into<String>) -> Self {
        Self { reason, phase, blame, message: message.into(), detail: Map::new() }
    }

    /// The caller's packet, term or option is wrong.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(Reason::BadRequest, Phase::Call, Blame::Caller, message)
    }

    /// Adds one entry to the detail.
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
