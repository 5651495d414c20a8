//! A call, a checkout, and what a process calls while it starts.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::id::Mfa;
use super::limits::{Limits, Policy, Target};
use super::outcome::Form;

/// A call that a worker or a template makes while it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartCall {
    /// What is called, for messages.
    pub mfa: Mfa,
    /// As the body of a call frame, without buffers.
    pub pickle: Bytes,
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
