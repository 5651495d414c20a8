//! What is wrong with a JSON text, and where.

use thiserror::Error;

/// Why a text is not valid JSON, or cannot be represented in Python.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct Defect {
    /// The offset of the byte at fault, at the beginning of a character; the length of the text if it ends too soon.
    pub at: usize,
    /// What is wrong.
    pub message: String,
}

impl Defect {
    pub(super) fn new(at: usize, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }
}
