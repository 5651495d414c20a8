//! A call, a checkout, and the calls that a process makes while it starts.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::id::Mfa;
use super::limits::{Limits, Policy, Target};
use super::outcome::Form;

/// The longest body of a short frame.
const SHORT: usize = 496;

/// A call that a worker or a template makes while it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartCall {
    /// The name of the function, for messages.
    pub mfa: Mfa,
    /// The body of a call frame, without buffers.
    pub pickle: Bytes,
}

/// The body of a call frame: docs/worker_protocol.md 2.3. It is shared, because a call that was not delivered is sent
/// again: a clone copies no bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// The pickle.
    pub pickle: Bytes,
    /// The large `bytes` next to it, fewer than 65,536, as slices of their packet.
    pub buffers: Vec<Bytes>,
}

impl Body {
    /// Returns whether a call frame with this body is a short frame: docs/worker_protocol.md 2.4.
    pub fn is_short(&self) -> bool {
        self.buffers.is_empty() && self.pickle.len() <= SHORT
    }

    /// The size in bytes.
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
    /// The name of the function, for messages and logs.
    pub mfa: Mfa,
    /// The frame for the worker.
    pub body: Body,
    /// Its time limits.
    pub limits: Limits,
    /// Where it may run.
    pub target: Target,
    /// What to do where there is a choice.
    pub policy: Policy,
    /// How to write its result.
    pub form: Form,
    /// A value that is the same for every call of the same function with the same arguments, if needed.
    pub fingerprint: Option<u64>,
    /// When the server had read it.
    pub arrived: Instant,
}

impl Mfa {
    /// A value that is the same for every call of this function with this body. Computing it takes time proportional to
    /// the size of the body.
    pub fn fingerprint(&self, body: &Body) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.module, &self.function, &body.pickle, &body.buffers).hash(&mut hasher);
        hasher.finish()
    }
}

impl Call {
    /// Counts the time since its arrival as waiting time. A limit of 0 stays 0: run only if a worker is idle now.
    #[must_use]
    pub fn waited(mut self) -> Self {
        let least = |limit: Duration| limit.min(Duration::from_millis(1));
        let left = |limit: Duration| limit.saturating_sub(self.arrived.elapsed()).max(least(limit));
        self.limits.checkout_timeout = self.limits.checkout_timeout.map(left);
        self.limits.deadline = self.limits.deadline.map(|limit| limit.saturating_sub(self.arrived.elapsed()));
        self
    }
}

/// A request for a leased worker.
#[derive(Clone, Copy, Debug)]
pub struct Checkout {
    /// Maximum time in the queue.
    pub checkout_timeout: Option<Duration>,
    /// Maximum time from its arrival until it is granted.
    pub deadline: Option<Duration>,
    /// Maximum duration of the lease.
    pub lease_timeout: Option<Duration>,
    /// Which worker; never that of a lease.
    pub target: Target,
    /// When the server had read it.
    pub arrived: Instant,
}
