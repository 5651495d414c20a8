//! The first frame of a process of ours, when it is ready: docs/worker_protocol.md 4.

use serde_json::Value;

use super::wire::{CODEC, PROTOCOL};
use crate::codec;

/// Refuses a foreign worker side: a package from `PORTPOOL_PYTHON_DIR` may be older or newer.
pub(super) fn check(body: &[u8]) -> Result<(), String> {
    let hello =
        codec::read(body).and_then(|hello| hello.to_json()).map_err(|error| format!("an unreadable hello: {error}"))?;
    let (protocol, codec) = (hello.get("protocol"), hello.get("codec"));
    if protocol.and_then(Value::as_u64) == Some(PROTOCOL) && codec.and_then(Value::as_str) == Some(CODEC) {
        return Ok(());
    }
    let name = |value: Option<&Value>| value.map_or_else(|| "none".to_owned(), Value::to_string);
    Err(format!("a hello of protocol {} and codec {}, not {PROTOCOL} and {CODEC}", name(protocol), name(codec)))
}
