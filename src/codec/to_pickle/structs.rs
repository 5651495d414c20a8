//! What is known about the structs that have been written so far.

use crate::codec::error::{Fault, What};

/// What is known about the structs so far.
pub(super) struct Structs<'n> {
    pub(super) module: &'n str,
    pub(super) function: &'n str,
    /// Whether the module has been imported, which may register decoders.
    pub(super) imported: bool,
    /// The end of the last key that contains a struct.
    key_end: usize,
}

impl<'n> Structs<'n> {
    pub(super) fn new(module: &'n str, function: &'n str) -> Self {
        Self { module, function, imported: false, key_end: 0 }
    }

    /// Begins another term, whose offsets start again.
    pub(super) fn begin_term(&mut self) {
        self.key_end = 0;
    }

    /// Records a key that contains a struct. Each such key is checked to its end before it is written, so they must not
    /// nest: otherwise the time could grow with the square of the input.
    pub(super) fn enter_key(&mut self, at: usize, end: usize) -> Result<(), Fault> {
        if at < self.key_end {
            return Err(Fault::new(at, What::StructInKey));
        }
        self.key_end = end;
        Ok(())
    }
}
