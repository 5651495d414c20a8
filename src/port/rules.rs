//! The settings that the requests of a session share.

use std::time::Duration;

use crate::allow_list::AllowList;
use crate::call::{Limits, OnCancel};
use crate::codec::Options;
use crate::config::Config;

/// The settings that the requests of a session share.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The limits of a call that sets none.
    pub limits: Limits,
    /// What happens to a running call that is cancelled, by default.
    pub on_cancel: OnCancel,
    /// How often an idempotent call is run again, by default.
    pub retry: u8,
    /// The maximum duration of a lease, by default.
    pub lease_timeout: Option<Duration>,
    /// How long running calls may take to finish at a drain, by default.
    pub drain_timeout: Option<Duration>,
    /// How values are converted, by default.
    pub values: Options,
    /// The functions that calls may name.
    pub allow: AllowList,
    /// The maximum size of a packet, of an inflated term, and of a reply.
    pub max_frame: usize,
}

impl Rules {
    /// The settings of a pool.
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
