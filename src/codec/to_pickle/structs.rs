//! Structs of which Python may make something else (docs/types.md 1.9): at its end each is handed to `portpool._struct`.
//!
//! What a key becomes is known in Python alone, whether it can be hashed and what it is equal to. So a map with such keys is no
//! dict on its way but keys and values in turn, of which `portpool._dict` makes one.

use super::Encoder;
use crate::codec::error::{Fault, What};
use crate::codec::global::Global;
use crate::codec::opcode;

/// What is known of the structs so far.
pub(super) struct Structs<'n> {
    module: &'n str,
    function: &'n str,
    /// Whether the module has been imported: it may have the decoders.
    imported: bool,
    /// Where the last key with a struct in it ends.
    key_end: usize,
}

impl<'n> Structs<'n> {
    pub(super) fn new(module: &'n str, function: &'n str) -> Self {
        Self { module, function, imported: false, key_end: 0 }
    }

    /// Begins with another term, whose offsets begin anew.
    pub(super) fn begin_term(&mut self) {
        self.key_end = 0;
    }

    /// Takes note of a key with a struct in it. Each such key is looked through to its end before it is written, so they
    /// do not nest: else input could be made that takes a time that grows with its square.
    pub(super) fn enter_key(&mut self, at: usize, end: usize) -> Result<(), Fault> {
        if at < self.key_end {
            return Err(Fault::new(at, What::StructInKey));
        }
        self.key_end = end;
        Ok(())
    }
}

impl Encoder<'_, '_> {
    /// Ends a map.
    #[inline]
    pub(super) fn map_end(&mut self, is_struct: bool, by_pairs: bool) {
        if by_pairs {
            self.out.op(opcode::TUPLE);
            let pairs = self.put_aside();
            // The dict that was begun stays empty.
            self.out.op(opcode::POP);
            self.call(Global::Dict, pairs);
        } else {
            self.out.dict_end();
        }
        if is_struct {
            let fields = self.put_aside();
            self.import_module();
            self.call(Global::Struct, fields);
        }
    }

    /// Moves the value on top of the stack to the memo.
    fn put_aside(&mut self) -> u32 {
        let index = self.out.memoize();
        self.out.op(opcode::POP);
        index
    }

    fn call(&mut self, global: Global, argument: u32) {
        self.out.global(global);
        self.out.get(argument);
        self.out.raw(&[opcode::TUPLE1, opcode::REDUCE]);
    }

    /// Has the module of the call imported, once, before the first struct is complete.
    fn import_module(&mut self) {
        if self.structs.imported {
            return;
        }
        self.structs.imported = true;
        self.out.global(Global::Import);
        self.out.str(self.structs.module);
        self.out.str(self.structs.function);
        self.out.raw(&[opcode::TUPLE2, opcode::REDUCE, opcode::POP]);
    }
}
