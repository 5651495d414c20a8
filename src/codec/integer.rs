//! Integers of any size, from and to external terms and pickles.
//!
//! External terms store sign and magnitude, pickles two's complement; both are little-endian.

use bytes::BufMut;

use super::error::Fault;
use super::etf::tag;
use super::reader::Reader;

/// An integer in its smallest form: what fits into 64 bits is never `Big`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Integer<'a> {
    /// Fits into 64 bits, signed.
    Small(i64),
    /// Any other, in its original form.
    Big(Big<'a>),
}

/// A large integer as stored, without redundant bytes at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Big<'a> {
    /// As stored in external terms.
    Magnitude { negative: bool, bytes: &'a [u8] },
    /// As stored in pickles.
    TwosComplement(&'a [u8]),
}

impl<'a> Integer<'a> {
    /// Reads what follows an integer's tag in an external term; `None` for any other `tag`.
    #[inline]
    pub(crate) fn after_tag(reader: &mut Reader<'a>, tag: u8) -> Result<Option<Self>, Fault> {
        let number = match tag {
            tag::SMALL_INTEGER_EXT => Self::Small(i64::from(reader.u8()?)),
            tag::INTEGER_EXT => Self::Small(i64::from(i32::from_be_bytes(reader.array()?))),
            tag::SMALL_BIG_EXT => {
                let length = usize::from(reader.u8()?);
                Self::magnitude(reader, length)?
            }
            tag::LARGE_BIG_EXT => {
                let length = reader.length32()?;
                Self::magnitude(reader, length)?
            }
            _ => return Ok(None),
        };
        Ok(Some(number))
    }

    /// Reads sign and magnitude. As in `binary_to_term/1`, any sign other than 0 is negative.
    fn magnitude(reader: &mut Reader<'a>, length: usize) -> Result<Self, Fault> {
        let negative = reader.u8()? != 0;
        let bytes = without_last(reader.take(length)?, 0);
        let small = unsigned(bytes).map(i128::from).map(|number| if negative { -number } else { number });
        match small.and_then(|number| i64::try_from(number).ok()) {
            Some(number) => Ok(Self::Small(number)),
            None => Ok(Self::Big(Big::Magnitude { negative, bytes })),
        }
    }

    /// Reads the two's complement of a pickle; no bytes mean 0.
    pub(crate) fn from_twos_complement(bytes: &'a [u8]) -> Self {
        let sign = if is_negative(bytes) { 0xff } else { 0 };
        let Some(head) = bytes.get(..bytes.len().min(8)) else { return Self::Small(0) };
        if bytes.get(8..).is_some_and(|rest| rest.iter().any(|byte| *byte != sign)) {
            return Self::Big(Big::TwosComplement(bytes));
        }
        let mut word = [sign; 8];
        word.iter_mut().zip(head).for_each(|(to, from)| *to = *from);
        let small = i64::from_le_bytes(word);
        if (small < 0) == (sign != 0) { Self::Small(small) } else { Self::Big(Big::TwosComplement(bytes)) }
    }

    /// The number of bytes that [`Integer::write_term`] writes.
    #[inline]
    pub(crate) fn term_size(self) -> u64 {
        match self {
            Self::Small(0..=255) => 2,
            Self::Small(number) if i32::try_from(number).is_ok() => 5,
            Self::Small(number) => 3 + significant(number.unsigned_abs()) as u64,
            Self::Big(big) => match big.magnitude_length() {
                length @ 0..=255 => 3 + length as u64,
                length => 6 + length as u64,
            },
        }
    }

    /// Writes an external term in its shortest form (docs/protocol.md 11.2).
    #[inline(always)]
    pub(crate) fn write_term(self, out: &mut impl BufMut) {
        match self {
            Self::Small(number) => write_small(number, out),
            Self::Big(big) => {
                big.write_head(out);
                big.for_each_byte_of_magnitude(|byte| out.put_u8(byte));
            }
        }
    }
}

#[inline(always)]
fn write_small(number: i64, out: &mut impl BufMut) {
    if let Ok(byte) = u8::try_from(number) {
        out.put_slice(&[tag::SMALL_INTEGER_EXT, byte]);
    } else if let Ok(word) = i32::try_from(number) {
        let [a, b, c, d] = word.to_be_bytes();
        out.put_slice(&[tag::INTEGER_EXT, a, b, c, d]);
    } else {
        let magnitude = number.unsigned_abs();
        let length = significant(magnitude);
        out.put_slice(&[tag::SMALL_BIG_EXT, length, u8::from(number < 0)]);
        out.put_uint_le(magnitude, usize::from(length));
    }
}

impl Big<'_> {
    /// Returns whether the number is negative.
    pub(crate) fn is_negative(self) -> bool {
        match self {
            Self::Magnitude { negative, .. } => negative,
            Self::TwosComplement(bytes) => is_negative(bytes),
        }
    }

    /// The bytes of the magnitude, least significant first.
    pub(crate) fn magnitude(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.magnitude_length());
        self.for_each_byte_of_magnitude(|byte| bytes.push(byte));
        bytes
    }

    fn write_head(self, out: &mut impl BufMut) {
        let length = self.magnitude_length();
        match u8::try_from(length) {
            Ok(length) => out.put_slice(&[tag::SMALL_BIG_EXT, length]),
            Err(_) => {
                out.put_u8(tag::LARGE_BIG_EXT);
                // A pickle is smaller than 4 GiB, and so is each integer in it.
                out.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
            }
        }
        out.put_u8(u8::from(self.is_negative()));
    }

    fn magnitude_length(self) -> usize {
        match self {
            Self::Magnitude { bytes, .. } => bytes.len(),
            Self::TwosComplement(bytes) if is_negative(bytes) => {
                let significant = without_last(bytes, 0xff);
                // -256 is 00 ff: inverting and adding one carries into a byte that was cut off.
                significant.len() + usize::from(significant.iter().all(|byte| *byte == 0))
            }
            Self::TwosComplement(bytes) => without_last(bytes, 0).len(),
        }
    }

    fn for_each_byte_of_magnitude(self, mut write: impl FnMut(u8)) {
        match self {
            Self::Magnitude { bytes, .. } => bytes.iter().for_each(|byte| write(*byte)),
            Self::TwosComplement(bytes) if is_negative(bytes) => {
                let padded = bytes.iter().chain(std::iter::repeat(&0xff)).take(self.magnitude_length());
                negate(padded.copied(), write);
            }
            Self::TwosComplement(bytes) => without_last(bytes, 0).iter().for_each(|byte| write(*byte)),
        }
    }
}

/// Writes the negative of a little-endian number, byte by byte.
pub(crate) fn negate(bytes: impl Iterator<Item = u8>, mut write: impl FnMut(u8)) {
    let mut carry = true;
    for byte in bytes {
        let (negated, overflow) = (!byte).overflowing_add(u8::from(carry));
        carry = overflow;
        write(negated);
    }
}

fn is_negative(bytes: &[u8]) -> bool {
    bytes.last().is_some_and(|byte| byte & 0x80 != 0)
}

/// Removes redundant bytes at the end.
fn without_last(mut bytes: &[u8], filler: u8) -> &[u8] {
    while let Some((last, rest)) = bytes.split_last() {
        if *last != filler {
            break;
        }
        bytes = rest;
    }
    bytes
}

fn unsigned(bytes: &[u8]) -> Option<u64> {
    let mut word = [0; 8];
    word.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(u64::from_le_bytes(word))
}

/// The number of bytes a magnitude needs.
fn significant(magnitude: u64) -> u8 {
    // At most 8.
    (u64::BITS - magnitude.leading_zeros()).div_ceil(8) as u8
}
