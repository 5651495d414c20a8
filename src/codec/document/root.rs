//! A value that a worker has sent: its pickle, what has been read of it, and where it begins.

use super::arena::{Arena, At, Node};
use super::scalar::{self, Scalar};

/// A value that a worker has sent.
#[derive(Debug)]
pub struct Document<'a> {
    pub(super) pickle: &'a [u8],
    pub(super) arena: Arena,
    pub(super) root: Node,
}

impl<'a> Document<'a> {
    pub(crate) fn new(pickle: &'a [u8], arena: Arena, root: Node) -> Self {
        Self { pickle, arena, root }
    }

    /// The size of the value as a term in bytes, without version byte.
    pub fn term_size(&self) -> u64 {
        self.arena.term_size(self.pickle, self.root)
    }

    /// The content of the value if it is `bytes` or a `bytearray`.
    pub fn as_bytes(&self) -> Option<&'a [u8]> {
        let At::Scalar(offset) = self.root.at() else { return None };
        match scalar::at(self.pickle, offset)? {
            Scalar::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }
}
