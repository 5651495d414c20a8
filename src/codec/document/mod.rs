//! A pickle that has been read, as offsets into its bytes, ready to be written as a term or as JSON.
//!
//! `root` is the value, `arena` holds the result of [`from_pickle`](super::from_pickle). The pickle itself is the tree: a node is the offset
//! of the opcode that made a value (`scalar` reads it again), a container is a run of nodes. `walk` visits all of it,
//! to any depth, and knows the path. `own` reads values that become a struct, `records` recognises dicts with known
//! keys, and `term` and `value` are the output formats.

pub(crate) mod arena;
pub(crate) mod objection;
pub(crate) mod own;
mod records;
mod root;
pub(crate) mod scalar;
mod term;
mod value;
mod walk;

use bytes::{Bytes, BytesMut};

use super::error::CodecError;
pub use root::Document;

/// The largest value that becomes JSON, measured as a term: JSON takes many times as much memory.
const LARGEST_JSON: usize = 64 << 20;

impl Document<'_> {
    /// Appends the value to `out` as a term, without version byte (docs/protocol.md 11.2).
    ///
    /// # Errors
    /// `TooLarge` if the term would exceed `limit` bytes, detected before memory is allocated; `Unencodable`, with the
    /// path, for the first value that no term can represent. `out` is then unchanged.
    pub fn to_etf(&self, out: &mut BytesMut, limit: usize) -> Result<(), CodecError> {
        let size = self.term_size();
        if size > limit as u64 {
            return Err(CodecError::too_large(size, limit));
        }
        // A Vec is faster to write to than a BytesMut, and converts to one without a copy.
        let mut bytes = Vec::from(std::mem::take(out));
        let before = bytes.len();
        let written = term::write(self, size as usize, &mut bytes);
        if written.is_err() {
            bytes.truncate(before);
        }
        *out = BytesMut::from(Bytes::from(bytes));
        written
    }

    /// Returns the value as a term in which each `bytes` is `%Portpool.Bytes{}`, so that it comes back to Python as
    /// `bytes`. For a value that [`Self::to_etf`] can write.
    ///
    /// # Errors
    /// Those of [`Self::to_etf`], except `TooLarge`.
    pub fn to_etf_with_bytes_apart(&self) -> Result<Vec<u8>, CodecError> {
        let mut bytes = Vec::new();
        term::write_with_bytes_apart(self, &mut bytes)?;
        Ok(bytes)
    }

    /// Converts the value to JSON: tuples become arrays, atoms strings, bytes `{"$bytes": base64}`.
    ///
    /// # Errors
    /// `TooLarge` if the value exceeds 64 MiB as a term; `Unencodable`, with the path, for the first value that JSON
    /// cannot represent.
    pub fn to_json(&self) -> Result<serde_json::Value, CodecError> {
        let size = self.term_size();
        if size > LARGEST_JSON as u64 {
            return Err(CodecError::too_large(size, LARGEST_JSON));
        }
        value::build(self)
    }
}
