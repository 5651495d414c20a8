//! Values that one opcode makes: read once to step over them, and again where they are needed.

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
    /// A `str`: UTF-8, but for lone surrogates.
    Text(&'a [u8]),
    /// `bytes` or `bytearray`.
    Bytes(&'a [u8]),
}

impl Scalar<'_> {
    /// How many bytes it takes as a term, if `None` is this atom.
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

/// Reads what follows an opcode that makes a scalar; None if `opcode` makes none.
#[inline(always)]
pub(crate) fn after_opcode<'a>(reader: &mut Reader<'a>, opcode: u8) -> Result<Option<Scalar<'a>>, Fault> {
    let scalar = match opcode {
        opcode::NONE => Scalar::None,
        opcode::NEWTRUE => Scalar::Bool(true),
        opcode::NEWFALSE => Scalar::Bool(false),
        opcode::BININT1 => small(i64::from(reader.u8()?)),
        opcode::BININT2 => small(i64::from(u16::from_le_bytes(reader.array()?))),
        opcode::BININT => small(i64::from(i32::from_le_bytes(reader.array()?))),
        opcode::LONG1 => Scalar::Integer(Integer::from_twos_complement(short(reader)?)),
        opcode::LONG4 => Scalar::Integer(Integer::from_twos_complement(normal(reader)?)),
        opcode::BINFLOAT => Scalar::Float(f64::from_be_bytes(reader.array()?)),
        opcode::SHORT_BINUNICODE => Scalar::Text(short(reader)?),
        opcode::BINUNICODE => Scalar::Text(normal(reader)?),
        opcode::BINUNICODE8 => Scalar::Text(long(reader)?),
        opcode::SHORT_BINBYTES => Scalar::Bytes(short(reader)?),
        opcode::BINBYTES => Scalar::Bytes(normal(reader)?),
        opcode::BINBYTES8 | opcode::BYTEARRAY8 => Scalar::Bytes(long(reader)?),
        _ => return Ok(None),
    };
    Ok(Some(scalar))
}

/// Reads the scalar whose opcode stands at `offset`.
#[inline(always)]
pub(crate) fn at(pickle: &[u8], offset: usize) -> Option<Scalar<'_>> {
    let mut reader = Reader::starting_at(pickle, offset);
    let opcode = reader.u8().ok()?;
    after_opcode(&mut reader, opcode).ok().flatten()
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
