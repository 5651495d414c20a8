//! Writes pickles of protocol 5, opcode by opcode, without frames: for the start order and for `to_pickle`.

use super::floats;
use super::global::Global;
use super::integer::{Big, Integer, negate};
use super::opcode;
use super::text;

/// Writes one pickle into memory.
///
/// Values come in the order in which Python's stack machine wants them; what is opened must be closed by the caller:
///
/// ```
/// let mut order = portpool::codec::PickleWriter::new();
/// order.dict_start();
/// order.str("protocol");
/// order.int(1);
/// order.dict_end();
/// assert_eq!(order.finish(), b"\x80\x05}(\x8c\x08protocolK\x01u.");
/// ```
#[derive(Debug)]
pub struct PickleWriter {
    out: Vec<u8>,
    memoized: u32,
    globals: [Option<u32>; Global::ALL.len()],
}

impl Default for PickleWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl PickleWriter {
    /// Begins a pickle.
    pub fn new() -> Self {
        Self::with_capacity(64)
    }

    /// Begins a pickle of about `bytes` bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        let mut out = Vec::with_capacity(bytes);
        out.extend_from_slice(&[opcode::PROTO, 5]);
        Self { out, memoized: 0, globals: [None; Global::ALL.len()] }
    }

    /// Ends the pickle and returns its bytes.
    pub fn finish(mut self) -> Vec<u8> {
        self.op(opcode::STOP);
        self.out
    }

    /// Writes `None`.
    pub fn none(&mut self) {
        self.op(opcode::NONE);
    }

    /// Writes `True` or `False`.
    pub fn bool(&mut self, value: bool) {
        self.op(if value { opcode::NEWTRUE } else { opcode::NEWFALSE });
    }

    /// Writes an int.
    #[inline]
    pub fn int(&mut self, value: i64) {
        if let Ok(byte) = u8::try_from(value) {
            self.raw(&[opcode::BININT1, byte]);
        } else if let Ok(short) = u16::try_from(value) {
            let [a, b] = short.to_le_bytes();
            self.raw(&[opcode::BININT2, a, b]);
        } else if let Ok(word) = i32::try_from(value) {
            let [a, b, c, d] = word.to_le_bytes();
            self.raw(&[opcode::BININT, a, b, c, d]);
        } else {
            self.raw(&[opcode::LONG1, 8]);
            self.raw(&value.to_le_bytes());
        }
    }

    /// Writes a float.
    #[inline]
    pub fn float(&mut self, value: f64) {
        let [a, b, c, d, e, f, g, h] = value.to_be_bytes();
        self.raw(&[opcode::BINFLOAT, a, b, c, d, e, f, g, h]);
    }

    /// Writes adjacent floats of an external term.
    #[inline]
    pub(crate) fn floats(&mut self, run: &[u8]) {
        floats::copy(run, opcode::BINFLOAT, &mut self.out);
    }

    /// Writes a str.
    #[inline]
    pub fn str(&mut self, value: &str) {
        self.str_head(value.len());
        self.raw(value.as_bytes());
    }

    /// Writes bytes.
    pub fn bytes(&mut self, value: &[u8]) {
        self.head(opcode::SHORT_BINBYTES, opcode::BINBYTES, opcode::BINBYTES8, value.len());
        self.raw(value);
    }

    /// Begins a list. Its elements follow, then [`PickleWriter::list_end`].
    pub fn list_start(&mut self) {
        self.raw(&[opcode::EMPTY_LIST, opcode::MARK]);
    }

    /// Ends a list.
    pub fn list_end(&mut self) {
        self.op(opcode::APPENDS);
    }

    /// Begins a dict. Keys and values follow, alternating, then [`PickleWriter::dict_end`].
    pub fn dict_start(&mut self) {
        self.raw(&[opcode::EMPTY_DICT, opcode::MARK]);
    }

    /// Ends a dict.
    pub fn dict_end(&mut self) {
        self.op(opcode::SETITEMS);
    }

    /// Begins a tuple of any size. Its elements follow, then [`PickleWriter::tuple_end`].
    pub fn tuple_start(&mut self) {
        self.op(opcode::MARK);
    }

    /// Ends a tuple.
    pub fn tuple_end(&mut self) {
        self.op(opcode::TUPLE);
    }

    /// Writes opcodes made by the caller.
    #[inline]
    pub fn raw(&mut self, opcodes: &[u8]) {
        self.out.extend_from_slice(opcodes);
    }

    /// Writes a str and returns whether its bytes are UTF-8; if not, the pickle is unusable.
    #[inline]
    #[must_use]
    pub(crate) fn utf8(&mut self, value: &[u8]) -> bool {
        self.str_head(value.len());
        text::copy(value, &mut self.out)
    }

    #[inline]
    fn str_head(&mut self, length: usize) {
        self.head(opcode::SHORT_BINUNICODE, opcode::BINUNICODE, opcode::BINUNICODE8, length);
    }

    /// Writes one opcode.
    #[inline]
    pub(crate) fn op(&mut self, opcode: u8) {
        self.out.push(opcode);
    }

    /// Writes an int of any size.
    #[inline]
    pub(crate) fn integer(&mut self, value: Integer<'_>) {
        match value {
            Integer::Small(number) => self.int(number),
            Integer::Big(Big::TwosComplement(bytes)) => self.long(bytes.len(), |out| out.extend_from_slice(bytes)),
            Integer::Big(Big::Magnitude { negative, bytes }) => self.big(negative, bytes),
        }
    }

    /// Writes one of our own classes or functions, by code the first time and by memo index after that.
    pub(crate) fn global(&mut self, global: Global) {
        let stored = self.globals.get(global as usize).copied().flatten();
        if let Some(index) = stored {
            return self.get(index);
        }
        self.op(opcode::EXT4);
        self.raw(&global.code().to_le_bytes());
        let index = self.memoize();
        if let Some(slot) = self.globals.get_mut(global as usize) {
            *slot = Some(index);
        }
    }

    /// Stores the value on top of the stack in the memo and returns its index.
    pub(crate) fn memoize(&mut self) -> u32 {
        self.op(opcode::MEMOIZE);
        self.memoized += 1;
        self.memoized - 1
    }

    /// Fetches a value from the memo.
    #[inline]
    pub(crate) fn get(&mut self, index: u32) {
        match u8::try_from(index) {
            Ok(byte) => self.raw(&[opcode::BINGET, byte]),
            Err(_) => {
                let [a, b, c, d] = index.to_le_bytes();
                self.raw(&[opcode::LONG_BINGET, a, b, c, d]);
            }
        }
    }

    /// Writes the header for `length` bytes.
    #[inline]
    fn head(&mut self, short: u8, normal: u8, long: u8, length: usize) {
        if let Ok(length) = u8::try_from(length) {
            self.raw(&[short, length]);
        } else if let Ok(length) = u32::try_from(length) {
            let [a, b, c, d] = length.to_le_bytes();
            self.raw(&[normal, a, b, c, d]);
        } else {
            self.op(long);
            self.raw(&(length as u64).to_le_bytes());
        }
    }

    /// Writes sign and magnitude as two's complement, with an extra byte where the sign needs it.
    fn big(&mut self, negative: bool, magnitude: &[u8]) {
        let padding = usize::from(magnitude.last().is_some_and(|byte| byte & 0x80 != 0));
        let padded = magnitude.iter().copied().chain(std::iter::repeat_n(0, padding));
        self.long(magnitude.len() + padding, |out| {
            if negative { negate(padded, |byte| out.push(byte)) } else { out.extend(padded) }
        });
    }

    fn long(&mut self, length: usize, write: impl FnOnce(&mut Vec<u8>)) {
        match u8::try_from(length) {
            Ok(length) => self.raw(&[opcode::LONG1, length]),
            Err(_) => {
                self.op(opcode::LONG4);
                // An integer of an external term is smaller than 4 GiB, and Python accepts less than 2.
                self.raw(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
            }
        }
        write(&mut self.out);
    }
}
