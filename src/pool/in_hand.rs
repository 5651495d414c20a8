//! The jobs of the pool that have not ended: calls, checkouts and reloads.

use std::time::{Duration, Instant};

use super::event::{Demand, Placement, Purpose, Run};
use super::pace::Pace;
use crate::call::{Call, CallId, Checkout, Meta, Target, WorkerId};

/// A job of the pool.
#[derive(Debug)]
pub(super) enum Job {
    /// Runs a call.
    Call(Box<Call>),
    /// Checks a worker out.
    Checkout(Checkout),
    /// Replaces all workers.
    Reload,
}

impl Job {
    /// The demand for the core; `lease` is the lease that a call's target names, if any.
    pub(super) fn demand(&self, lease: Option<CallId>, pace: &Pace) -> Option<Demand> {
        let placement = |target| match target {
            Target::Any => Some(Placement::Any),
            Target::Key(key) => Some(Placement::Key(key)),
            Target::Worker(worker) => Some(Placement::Worker(worker)),
            Target::Lease(_) => lease.map(Placement::Lease),
        };
        match self {
            Self::Call(call) => Some(Demand {
                bytes: call.body.size(),
                checkout_timeout: call.limits.checkout_timeout,
                deadline: call.limits.deadline,
                placement: placement(call.target)?,
                purpose: Purpose::Run(Run {
                    timeout: call.limits.timeout,
                    grace: call.limits.grace,
                    on_cancel: call.policy.on_cancel,
                    retry: call.policy.retry,
                    fingerprint: call.fingerprint,
                }),
                brief: if may_lie_ahead(call) { pace.of(&call.mfa) } else { None },
            }),
            Self::Checkout(checkout) => Some(Demand {
                bytes: 0,
                checkout_timeout: checkout.checkout_timeout,
                deadline: checkout.deadline,
                placement: placement(checkout.target)?,
                purpose: Purpose::Lease(checkout.lease_timeout),
                brief: None,
            }),
            Self::Reload => None,
        }
    }

    /// Its name, for messages.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Call(call) => call.mfa.to_string(),
            Self::Checkout(_) => "a checkout".to_owned(),
            Self::Reload => "a reload".to_owned(),
        }
    }
}

/// Returns whether a call can be taken back from the pipe of a worker. One whose deaths are counted must not lie there
/// when it is found to be dangerous.
fn may_lie_ahead(call: &Call) -> bool {
    call.fingerprint.is_none() && call.body.is_short()
}

/// A job that has not ended.
#[derive(Debug)]
pub(super) struct InHand {
    pub(super) job: Job,
    /// When a worker got it.
    pub(super) started: Option<Instant>,
    /// How many workers have received it.
    pub(super) attempt: u32,
    /// Whether a worker had read it before it died, so that it may have begun.
    pub(super) began: bool,
    /// Whether it has been interrupted.
    pub(super) interrupted: bool,
}

impl InHand {
    pub(super) fn new(job: Job) -> Self {
        Self { job, started: None, attempt: 0, began: false, interrupted: false }
    }

    /// A worker runs it now.
    pub(super) fn start(&mut self, now: Instant) {
        self.started = Some(now);
        self.attempt += 1;
        self.interrupted = false;
    }

    /// When the server had read it.
    pub(super) fn arrived(&self) -> Option<Instant> {
        match &self.job {
            Job::Call(call) => Some(call.arrived),
            Job::Checkout(checkout) => Some(checkout.arrived),
            Job::Reload => None,
        }
    }

    /// How long it may run, if it is a call.
    pub(super) fn timeout(&self) -> Option<Duration> {
        match &self.job {
            Job::Call(call) => call.limits.timeout,
            Job::Checkout(_) | Job::Reload => None,
        }
    }

    /// How long it has after an interrupt.
    pub(super) fn grace(&self) -> Duration {
        match &self.job {
            Job::Call(call) => call.limits.grace,
            Job::Checkout(_) | Job::Reload => Duration::ZERO,
        }
    }

    /// How long it may take in total.
    pub(super) fn deadline(&self) -> Option<Duration> {
        match &self.job {
            Job::Call(call) => call.limits.deadline,
            Job::Checkout(checkout) => checkout.deadline,
            Job::Reload => None,
        }
    }

    /// Where and how long it ran, if requested.
    pub(super) fn meta(&self, worker: WorkerId, pid: u32) -> Option<Meta> {
        let Job::Call(call) = &self.job else { return None };
        let Call { policy, arrived, .. } = &**call;
        let started = self.started.filter(|_| policy.meta)?;
        let queue = started.saturating_duration_since(*arrived);
        Some(Meta { queue, run: started.elapsed(), worker, pid, attempt: self.attempt })
    }
}
