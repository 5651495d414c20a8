//! What was asked of the pool and has not ended: a call, a checkout, a reload.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::event::{Run, Seat, Terms, Want};
use super::outcome;
use crate::call::{Body, Call, CallId, Checkout, Meta, Mfa, Outcome, Success, Target, WorkerId};
use crate::worker::FromWorker;

/// What somebody wants.
#[derive(Debug)]
pub(super) enum Asked {
    /// A call to be run.
    Call(Box<Call>),
    /// A worker.
    Checkout(Checkout),
    /// New workers.
    Reload,
}

impl Asked {
    /// What the core is told; `lease` is the one that a call's target names, if that is a lease.
    pub(super) fn terms(&self, lease: Option<CallId>) -> Option<Terms> {
        let seat = |target| match target {
            Target::Any => Some(Seat::Any),
            Target::Key(key) => Some(Seat::Key(key)),
            Target::Worker(worker) => Some(Seat::Worker(worker)),
            Target::Lease(_) => lease.map(Seat::Lease),
        };
        match self {
            Self::Call(call) => Some(Terms {
                bytes: call.body.size(),
                checkout_timeout: call.limits.checkout_timeout,
                deadline: call.limits.deadline,
                seat: seat(call.target)?,
                want: Want::Run(Run {
                    timeout: call.limits.timeout,
                    grace: call.limits.grace,
                    on_cancel: call.policy.on_cancel,
                    retry: call.policy.retry,
                    fingerprint: (call.policy.retry > 0).then(|| call.fingerprint()),
                }),
            }),
            Self::Checkout(checkout) => Some(Terms {
                bytes: 0,
                checkout_timeout: checkout.checkout_timeout,
                deadline: checkout.deadline,
                seat: seat(checkout.target)?,
                want: Want::Lease(checkout.lease_timeout),
            }),
            Self::Reload => None,
        }
    }

    /// What it is, for messages.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Call(call) => call.mfa.to_string(),
            Self::Checkout(_) => "a checkout".to_owned(),
            Self::Reload => "a reload".to_owned(),
        }
    }
}

/// Something that has not ended.
#[derive(Debug)]
pub(super) struct InHand {
    pub(super) asked: Asked,
    /// When a worker got it.
    pub(super) started: Option<Instant>,
    /// How many workers have got it.
    pub(super) attempt: u32,
    /// Whether it has been asked to end.
    pub(super) interrupted: bool,
}

impl InHand {
    pub(super) fn new(asked: Asked) -> Self {
        Self { asked, started: None, attempt: 0, interrupted: false }
    }

    /// A worker gets it.
    pub(super) fn start(&mut self, now: Instant) -> Option<(Mfa, Body)> {
        self.started = Some(now);
        self.attempt += 1;
        self.interrupted = false;
        match &self.asked {
            Asked::Call(call) => Some((call.mfa.clone(), call.body.clone())),
            Asked::Checkout(_) | Asked::Reload => None,
        }
    }

    /// When the server had read it.
    pub(super) fn arrived(&self) -> Option<Instant> {
        match &self.asked {
            Asked::Call(call) => Some(call.arrived),
            Asked::Checkout(checkout) => Some(checkout.arrived),
            Asked::Reload => None,
        }
    }

    /// How long it may run, if it is a call.
    pub(super) fn timeout(&self) -> Option<Duration> {
        match &self.asked {
            Asked::Call(call) => call.limits.timeout,
            Asked::Checkout(_) | Asked::Reload => None,
        }
    }

    /// How long it may take in all.
    pub(super) fn deadline(&self) -> Option<Duration> {
        match &self.asked {
            Asked::Call(call) => call.limits.deadline,
            Asked::Checkout(checkout) => checkout.deadline,
            Asked::Reload => None,
        }
    }

    /// What a worker's answer means.
    pub(super) fn answered(self, kind: FromWorker, body: Bytes, worker: WorkerId, pid: u32) -> Outcome {
        let meta = self.meta(worker, pid);
        let Asked::Call(call) = &self.asked else { return Ok(Success::Reloaded) };
        if self.interrupted
            && let Some(failure) = outcome::of_interrupt(kind, &body, &self, worker, pid)
        {
            return Err(failure);
        }
        outcome::of_reply(kind, body, call.form, meta)
    }

    fn meta(&self, worker: WorkerId, pid: u32) -> Option<Meta> {
        let Asked::Call(call) = &self.asked else { return None };
        let Call { policy, arrived, .. } = &**call;
        let started = self.started.filter(|_| policy.meta)?;
        let queue = started.saturating_duration_since(*arrived);
        Some(Meta { queue, run: started.elapsed(), worker, pid, attempt: self.attempt })
    }
}
