//! The options of calls, checkouts, checkins and drains: docs/protocol.md 7.3 and 7.4.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use super::each::{each, unknown, wrong};
use super::given::Given;
use crate::call::{Checkout, Failure, Policy, Target, WorkerId};
use crate::codec::etf;
use crate::port::rules::Rules;

/// The options of a call, for "did you mean". The table is docs/protocol.md 7.3; a test compares the two.
const CALL_OPTIONS: [&str; 15] = [
    "timeout",
    "checkout_timeout",
    "deadline",
    "grace",
    "on_cancel",
    "idempotent",
    "retry",
    "key",
    "lease",
    "worker",
    "meta",
    "kwargs",
    "binaries",
    "none",
    "max_frame",
];
const CHECKOUT_OPTIONS: [&str; 4] = ["checkout_timeout", "deadline", "key", "lease_timeout"];
const CHECKIN_OPTIONS: [&str; 1] = ["broken"];
const DRAIN_OPTIONS: [&str; 1] = ["drain_timeout"];

/// The options of a call.
#[derive(Debug)]
pub(in crate::port) struct CallOptions<'a> {
    /// The session's settings, changed for this call.
    pub(in crate::port) rules: Rules,
    pub(in crate::port) policy: Policy,
    pub(in crate::port) target: Target,
    /// The bytes of the map.
    pub(in crate::port) kwargs: Option<&'a [u8]>,
}

/// Reads the options of a call. `kwargs` and `key` are data, not options: they stay bytes.
pub(in crate::port) fn read_call<'a>(bytes: &'a [u8], pool: &Rules) -> Result<CallOptions<'a>, Failure> {
    let (mut rules, mut kwargs, mut target) = (pool.clone(), None, Target::Any);
    let (mut idempotent, mut meta) = (false, false);
    each(bytes, |key, value| {
        match key {
            "kwargs" => {
                etf::Cursor::new(value.0).map().map_err(|_| wrong("kwargs", "must be a map"))?;
                kwargs = Some(value.0);
                return Ok(());
            }
            "key" => return aim(&mut target, key, Target::Key(hash(value.0))),
            _ => {}
        }
        let value = value.decode(key)?;
        let option = Given { key, value: &value };
        match key {
            "timeout" => rules.limits.timeout = option.limit()?,
            "checkout_timeout" => rules.limits.checkout_timeout = option.limit()?,
            "deadline" => rules.limits.deadline = option.limit()?,
            "grace" => rules.limits.grace = option.duration()?,
            "on_cancel" => rules.on_cancel = option.on_cancel()?,
            "idempotent" => idempotent = option.boolean()?,
            "retry" => rules.retry = option.retry()?,
            "lease" => return aim(&mut target, key, Target::Lease(option.id()?)),
            "worker" => return aim(&mut target, key, Target::Worker(WorkerId(option.id()?))),
            "meta" => meta = option.boolean()?,
            "binaries" => rules.values.binaries = option.binaries()?,
            "none" => rules.values.none = option.none()?,
            "max_frame" => rules.max_frame = option.frame(pool.max_frame)?,
            _ => return Err(unknown(key, &CALL_OPTIONS)),
        }
        Ok(())
    })?;
    let policy = Policy { on_cancel: rules.on_cancel, retry: if idempotent { rules.retry } else { 0 }, meta };
    Ok(CallOptions { rules, policy, target, kwargs })
}

/// Reads the options of a checkout that arrived at this time.
pub(in crate::port) fn read_checkout(bytes: &[u8], pool: &Rules, arrived: Instant) -> Result<Checkout, Failure> {
    let mut checkout = Checkout {
        checkout_timeout: pool.limits.checkout_timeout,
        deadline: pool.limits.deadline,
        lease_timeout: pool.lease_timeout,
        target: Target::Any,
        arrived,
    };
    each(bytes, |key, value| {
        if key == "key" {
            return aim(&mut checkout.target, key, Target::Key(hash(value.0)));
        }
        let value = value.decode(key)?;
        let option = Given { key, value: &value };
        match key {
            "checkout_timeout" => checkout.checkout_timeout = option.limit()?,
            "deadline" => checkout.deadline = option.limit()?,
            "lease_timeout" => checkout.lease_timeout = option.limit()?,
            _ => return Err(unknown(key, &CHECKOUT_OPTIONS)),
        }
        Ok(())
    })?;
    Ok(checkout)
}

/// Reads the options of a checkin: whether the worker is broken.
pub(in crate::port) fn read_checkin(bytes: &[u8]) -> Result<bool, Failure> {
    let mut broken = false;
    each(bytes, |key, value| match key {
        "broken" => Given { key, value: &value.decode(key)? }.boolean().map(|value| broken = value),
        _ => Err(unknown(key, &CHECKIN_OPTIONS)),
    })?;
    Ok(broken)
}

/// Reads the options of a drain: how long running calls may take to finish.
pub(in crate::port) fn read_drain(bytes: &[u8], pool: &Rules) -> Result<Option<Duration>, Failure> {
    let mut limit = pool.drain_timeout;
    each(bytes, |key, value| match key {
        "drain_timeout" => Given { key, value: &value.decode(key)? }.limit().map(|value| limit = value),
        _ => Err(unknown(key, &DRAIN_OPTIONS)),
    })?;
    Ok(limit)
}

/// Sets where a call runs, which may be said in only one way.
fn aim(target: &mut Target, key: &str, wanted: Target) -> Result<(), Failure> {
    if *target != Target::Any {
        return Err(wrong(key, "use only one of key, lease and worker"));
    }
    *target = wanted;
    Ok(())
}

/// Keys are compared by their bytes.
fn hash(term: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    term.hash(&mut hasher);
    hasher.finish()
}
