//! Reads bytes with every access checked against what is left; knows its offset.

use super::error::{Fault, What};

/// Reads forward over a slice.
///
/// It holds a position instead of a shrinking slice, so a loop that returns to the start of a term keeps a number
/// instead of a copy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    whole: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub(crate) fn new(whole: &'a [u8]) -> Self {
        Self { whole, at: 0 }
    }

    /// Starts at an offset; beyond the end there is nothing to read.
    #[inline]
    pub(crate) fn starting_at(whole: &'a [u8], at: usize) -> Self {
        Self { whole, at: at.min(whole.len()) }
    }

    /// The offset of the next byte.
    #[inline]
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// Moves to an offset where it has been before.
    #[inline]
    pub(crate) fn go_to(&mut self, at: usize) {
        self.at = at.min(self.whole.len());
    }

    /// The number of bytes left.
    #[inline]
    pub(crate) fn left(&self) -> usize {
        self.whole.len() - self.at
    }

    /// The next byte, without taking it.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.whole.get(self.at).copied()
    }

    /// The bytes left.
    #[inline]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.whole.get(self.at..).unwrap_or_default()
    }

    /// All bytes, including those before the offset.
    #[inline]
    pub(crate) fn whole(&self) -> &'a [u8] {
        self.whole
    }

    /// The bytes from offset `from` up to here.
    pub(crate) fn since(&self, from: usize) -> &'a [u8] {
        self.whole.get(from..self.at).unwrap_or_default()
    }

    /// Takes `N` bytes.
    #[inline(always)]
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        match self.whole.get(self.at..).and_then(|rest| rest.first_chunk::<N>()) {
            Some(bytes) => {
                self.at += N;
                Ok(*bytes)
            }
            None => Err(self.fault(What::Truncated)),
        }
    }

    /// Takes `count` bytes.
    #[inline(always)]
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        match self.whole.get(self.at..).and_then(|rest| rest.get(..count)) {
            Some(bytes) => {
                self.at += count;
                Ok(bytes)
            }
            None => Err(self.fault(What::Count)),
        }
    }

    /// Takes one byte.
    #[inline]
    pub(crate) fn u8(&mut self) -> Result<u8, Fault> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// Takes a big-endian 16-bit length, as external terms have it.
    #[inline]
    pub(crate) fn length16(&mut self) -> Result<usize, Fault> {
        self.array().map(|bytes| usize::from(u16::from_be_bytes(bytes)))
    }

    /// Takes a big-endian 32-bit number.
    #[inline]
    pub(crate) fn u32(&mut self) -> Result<u32, Fault> {
        self.array().map(u32::from_be_bytes)
    }

    /// Takes a big-endian 32-bit length.
    #[inline]
    pub(crate) fn length32(&mut self) -> Result<usize, Fault> {
        self.u32().map(|length| length as usize)
    }

    /// Takes a count of items of at least `size` bytes each; refuses a count that the bytes at hand cannot hold.
    #[inline]
    pub(crate) fn count(&mut self, size: usize) -> Result<u32, Fault> {
        let count = self.u32()?;
        match (count as usize).checked_mul(size) {
            Some(bytes) if bytes <= self.left() => Ok(count),
            _ => Err(self.fault(What::Count)),
        }
    }

    /// Refuses bytes after the value.
    pub(crate) fn end(&self) -> Result<(), Fault> {
        if self.left() == 0 { Ok(()) } else { Err(self.fault(What::Trailing)) }
    }

    /// A fault at the next byte.
    #[inline]
    pub(crate) fn fault(&self, what: What) -> Fault {
        Fault::new(self.at(), what)
    }
}
