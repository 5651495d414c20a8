//! Bytes in JSON, which has no such type: `{"$bytes": "AAE="}`.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// The single key of an object that stands for bytes, with base64 as its value.
pub(in crate::codec) const BYTES: &str = "$bytes";

/// Decodes the value of that key.
///
/// # Errors
/// It is not base64.
pub(super) fn decode(text: &str) -> Result<Vec<u8>, String> {
    BASE64_STANDARD.decode(text).map_err(|error| format!("{BYTES:?} must be base64: {error}"))
}
