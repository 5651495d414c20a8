//! The end of a map. A struct that Python may decode (docs/types.md 1.9) is then passed to `portpool._struct`.
//!
//! Only Python knows what a key becomes, whether it can be hashed and what it equals. A map with such keys is therefore
//! written as alternating keys and values, from which `portpool._dict` makes a dict.

use super::Encoder;
use crate::codec::global::Global;
use crate::codec::opcode;

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

    /// Imports the module of the call, once, before the first struct is complete.
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
