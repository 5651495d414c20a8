//! The first frame of a process of ours, when it is ready: docs/worker_protocol.md 4.

use serde_json::Value;

use super::wire::{CODEC, PROTOCOL};
use crate::codec;

/// Reads the path on which the process finds modules. Refuses a foreign worker side: a package from
/// `PORTPOOL_PYTHON_DIR` may be older or newer.
pub(super) fn read(body: &[u8]) -> Result<Vec<String>, String> {
    let hello =
        codec::read(body).and_then(|hello| hello.to_json()).map_err(|error| format!("an unreadable hello: {error}"))?;
    let (protocol, codec) = (hello.get("protocol"), hello.get("codec"));
    if protocol.and_then(Value::as_u64) == Some(PROTOCOL) && codec.and_then(Value::as_str) == Some(CODEC) {
        let path = hello.get("path").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        return Ok(path.iter().filter_map(Value::as_str).map(str::to_owned).collect());
    }
    let name = |value: Option<&Value>| value.map_or_else(|| "none".to_owned(), Value::to_string);
    Err(format!("a hello of protocol {} and codec {}, not {PROTOCOL} and {CODEC}", name(protocol), name(codec)))
}
