//! What the requests of a session have in common.

use std::time::Duration;

use crate::allow_list::AllowList;
use crate::call::{Limits, OnCancel};
use crate::codec::Options;
use crate::config::Config;

/// What the requests of a session have in common.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The limits of a call that brings none of its own.
    pub limits: Limits,
    /// What becomes of a running call that is cancelled, if it does not say.
    pub on_cancel: OnCancel,
    /// How often an idempotent call is made again that does not say.
    pub retry: u8,
    /// The longest lease of a checkout that does not say.
    pub lease_timeout: Option<Duration>,
    /// How long running calls have to end at a drain that does not say.
    pub drain_timeout: Option<Duration>,
    /// What values become, for a call that does not say.
    pub values: Options,
    /// The functions that calls may name.
    pub allow: AllowList,
    /// The largest packet, what a term may inflate to, and the largest reply.
    pub max_frame: usize,
}

impl Rules {
    /// The rules of a pool.
    pub fn of(config: &Config) -> Self {
        Self {
            limits: config.limits,
            on_cancel: config.on_cancel,
            retry: config.retry,
            lease_timeout: config.lease_timeout,
            drain_timeout: config.drain_timeout,
            values: config.values,
            allow: config.allow.clone(),
            max_frame: config.max_frame,
        }
    }
}
