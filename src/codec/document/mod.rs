//! A pickle that has been read: offsets into its bytes, ready to be written as a term or as JSON.
//!
//! `arena` holds what the machine of [`from_pickle`](super::from_pickle) left: the pickle itself is the tree, a node is
//! the offset of the opcode that made a value (`scalar` reads it again), a container is a run of nodes. `walk` goes
//! through it, however deep, and knows the way it came; `own` reads values that have a struct of their own, `records` knows the
//! dicts whose keys have been seen; `term` and `value` are what it can be written as.

pub(crate) mod arena;
pub(crate) mod objection;
pub(crate) mod own;
mod records;
pub(crate) mod scalar;
mod term;
mod value;
mod walk;

use bytes::{Bytes, BytesMut};

use self::arena::{Arena, Node};
use super::error::CodecError;

/// The largest value that is turned into JSON, measured as a term: JSON in memory takes many times as much.
const LARGEST_JSON: usize = 64 << 20;

/// A value that a worker has sent.
#[derive(Debug)]
pub struct Document<'a> {
    pickle: &'a [u8],
    arena: Arena,
    root: Node,
}

impl<'a> Document<'a> {
    pub(crate) fn new(pickle: &'a [u8], arena: Arena, root: Node) -> Self {
        Self { pickle, arena, root }
    }

    /// How many bytes the value takes as a term, without version byte.
    pub fn term_size(&self) -> u64 {
        self.arena.term_size(self.pickle, self.root)
    }

    /// Writes the value as a term, without version byte, behind what `out` holds (docs/protocol.md 11.2).
    ///
    /// # Errors
    /// `TooLarge` if the term would have more than `limit` bytes, found before memory is taken; `Unencodable` with the
    /// path of the first value that has no form as a term. `out` is then as it was.
    pub fn to_etf(&self, out: &mut BytesMut, limit: usize) -> Result<(), CodecError> {
        let size = self.term_size();
        if size > limit as u64 {
            return Err(CodecError::too_large(size, limit));
        }
        // A Vec is quicker to write to than a BytesMut, and one becomes the other without a copy.
        let mut bytes = Vec::from(std::mem::take(out));
        let before = bytes.len();
        let written = term::write(self, size as usize, &mut bytes);
        if written.is_err() {
            bytes.truncate(before);
        }
        *out = BytesMut::from(Bytes::from(bytes));
        written
    }

    /// Turns the value into JSON: tuples are arrays, atoms strings, bytes `{"$bytes": base64}`.
    ///
    /// # Errors
    /// `TooLarge` if the value would have more than 64 MiB as a term; `Unencodable` with the path of the first value that
    /// has no form in JSON.
    pub fn to_json(&self) -> Result<serde_json::Value, CodecError> {
        let size = self.term_size();
        if size > LARGEST_JSON as u64 {
            return Err(CodecError::too_large(size, LARGEST_JSON));
        }
        value::build(self)
    }
}
