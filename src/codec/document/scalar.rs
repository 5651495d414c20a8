//! Values made by a single opcode: read once to step over them, and again where they are needed.

use crate::codec::error::Fault;
use crate::codec::integer::Integer;
use crate::codec::opcode;
use crate::codec::options::NoneIs;
use crate::codec::reader::Reader;

/// A value without parts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scalar<'a> {
    None,
    Bool(bool),
    Integer(Integer<'a>),
    Float(f64),
    /// A `str`: UTF-8, except for lone surrogates.
    Text(&'a [u8]),
    /// `bytes` or `bytearray`.
    Bytes(&'a [u8]),
}

impl Scalar<'_> {
    /// Its size as a term in bytes, with `None` written as this atom.
    #[inline(always)]
    pub(crate) fn term_size(self, none: NoneIs) -> u64 {
        match self {
            Self::None => 2 + none.atom().len() as u64,
            Self::Bool(true) => 6,
            Self::Bool(false) => 7,
            Self::Integer(number) => number.term_size(),
            Self::Float(_) => 9,
            Self::Text(bytes) | Self::Bytes(bytes) => 5 + bytes.len() as u64,
        }
    }
}

/// What a scalar is read for. One dispatch on the opcode both finds the scalar and uses it.
pub(crate) trait Use<'a> {
    /// The result.
    type Output;
    /// Uses the scalar.
    fn scalar(self, scalar: Scalar<'a>) -> Self::Output;
}

/// Returns the scalar itself.
struct Itself;

impl<'a> Use<'a> for Itself {
    type Output = Scalar<'a>;

    #[inline(always)]
    fn scalar(self, scalar: Scalar<'a>) -> Scalar<'a> {
        scalar
    }
}

/// Returns its size as a term, with `None` written as this atom.
pub(crate) struct Size(pub(crate) NoneIs);

impl Use<'_> for Size {
    type Output = u64;

    #[inline(always)]
    fn scalar(self, scalar: Scalar<'_>) -> u64 {
        scalar.term_size(self.0)
    }
}

/// Reads the operand of an opcode that makes a scalar; `None` for any other `opcode`.
#[inline(always)]
pub(crate) fn after_opcode<'a, U: Use<'a>>(
    reader: &mut Reader<'a>,
    opcode: u8,
    to: U,
) -> Result<Option<U::Output>, Fault> {
    let done = match opcode {
        opcode::NONE => to.scalar(Scalar::None),
        opcode::NEWTRUE => to.scalar(Scalar::Bool(true)),
        opcode::NEWFALSE => to.scalar(Scalar::Bool(false)),
        opcode::BININT1 => to.scalar(small(i64::from(reader.u8()?))),
        opcode::BININT2 => to.scalar(small(i64::from(u16::from_le_bytes(reader.array()?)))),
        opcode::BININT => to.scalar(small(i64::from(i32::from_le_bytes(reader.array()?)))),
        opcode::LONG1 => to.scalar(Scalar::Integer(Integer::from_twos_complement(short(reader)?))),
        opcode::LONG4 => to.scalar(Scalar::Integer(Integer::from_twos_complement(normal(reader)?))),
        opcode::BINFLOAT => to.scalar(Scalar::Float(f64::from_be_bytes(reader.array()?))),
        opcode::SHORT_BINUNICODE => to.scalar(Scalar::Text(short(reader)?)),
        opcode::BINUNICODE => to.scalar(Scalar::Text(normal(reader)?)),
        opcode::BINUNICODE8 => to.scalar(Scalar::Text(long(reader)?)),
        opcode::SHORT_BINBYTES => to.scalar(Scalar::Bytes(short(reader)?)),
        opcode::BINBYTES => to.scalar(Scalar::Bytes(normal(reader)?)),
        opcode::BINBYTES8 | opcode::BYTEARRAY8 => to.scalar(Scalar::Bytes(long(reader)?)),
        _ => return Ok(None),
    };
    Ok(Some(done))
}

/// Reads the scalar at `offset`.
pub(crate) fn at(pickle: &[u8], offset: usize) -> Option<Scalar<'_>> {
    use_at(pickle, offset, Itself)
}

/// Uses the scalar at `offset`.
#[inline(always)]
pub(crate) fn use_at<'a, U: Use<'a>>(pickle: &'a [u8], offset: usize, to: U) -> Option<U::Output> {
    let mut reader = Reader::starting_at(pickle, offset);
    let opcode = reader.u8().ok()?;
    after_opcode(&mut reader, opcode, to).ok().flatten()
}

#[inline(always)]
fn small<'a>(number: i64) -> Scalar<'a> {
    Scalar::Integer(Integer::Small(number))
}

#[inline(always)]
fn short<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Fault> {
    let length = usize::from(reader.u8()?);
    reader.take(length)
}

#[inline(always)]
fn normal<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Fault> {
    let length = u32::from_le_bytes(reader.array()?) as usize;
    reader.take(length)
}

#[inline(always)]
fn long<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Fault> {
    let length = u64::from_le_bytes(reader.array()?);
    reader.take(usize::try_from(length).unwrap_or(usize::MAX))
}
