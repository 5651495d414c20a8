//! One token of an external term: a whole scalar, or the head of a term with parts.

use super::atom::Name;
use super::{atom, float, identifier, tag};
use crate::codec::error::{Fault, What};
use crate::codec::integer::Integer;
use crate::codec::reader::Reader;

/// The head of a term, or all of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Token<'a> {
    /// An integer of any size.
    Integer(Integer<'a>),
    /// A finite float.
    Float(f64),
    /// An atom.
    Atom(Name<'a>),
    /// A binary of whole bytes.
    Binary(&'a [u8]),
    /// A non-empty list of bytes: STRING_EXT.
    Bytes(&'a [u8]),
    /// The empty list.
    Nil,
    /// A list with this many elements, at least one, then a tail.
    List(u32),
    /// A tuple with this many elements.
    Tuple(u32),
    /// A map with this many pairs.
    Map(u32),
    /// A pid, port, reference, export or bitstring.
    Opaque,
    /// A fun with this many free variables.
    Fun(u32),
}

/// Reads one token.
#[inline(always)]
pub(crate) fn next<'a>(reader: &mut Reader<'a>) -> Result<Token<'a>, Fault> {
    loop {
        let at = reader.at();
        let tag = reader.u8()?;
        return match tag {
            tag::SMALL_INTEGER_EXT => Ok(small(i64::from(reader.u8()?))),
            tag::INTEGER_EXT => Ok(small(i64::from(i32::from_be_bytes(reader.array()?)))),
            tag::BINARY_EXT => binary(reader),
            tag::NEW_FLOAT_EXT => finite(f64::from_be_bytes(reader.array()?), at),
            tag::NIL_EXT => Ok(Token::Nil),
            tag::LIST_EXT => match reader.count(1)? {
                // A list without elements is its tail, whatever that is.
                0 => continue,
                count => Ok(Token::List(count)),
            },
            tag::SMALL_TUPLE_EXT => Ok(Token::Tuple(u32::from(reader.u8()?))),
            tag::MAP_EXT => reader.count(2).map(Token::Map),
            _ => rare(reader, tag, at),
        };
    }
}

/// The less frequent tags.
#[inline(never)]
fn rare<'a>(reader: &mut Reader<'a>, tag: u8, at: usize) -> Result<Token<'a>, Fault> {
    if let Some(name) = atom::after_tag(reader, tag)? {
        return Ok(Token::Atom(name));
    }
    if let Some(number) = Integer::after_tag(reader, tag)? {
        return Ok(Token::Integer(number));
    }
    match tag {
        tag::LARGE_TUPLE_EXT => reader.count(1).map(Token::Tuple),
        tag::STRING_EXT => string(reader),
        tag::BIT_BINARY_EXT => bits(reader),
        tag::FLOAT_EXT => finite(float::parse(reader.take(31)?).unwrap_or(f64::NAN), at),
        tag::NEW_FUN_EXT => identifier::fun(reader).map(Token::Fun),
        _ if identifier::after_tag(reader, tag)? => Ok(Token::Opaque),
        _ => Err(Fault::new(at, What::Tag(tag))),
    }
}

#[inline(always)]
fn small<'a>(number: i64) -> Token<'a> {
    Token::Integer(Integer::Small(number))
}

#[inline(always)]
fn finite<'a>(number: f64, at: usize) -> Result<Token<'a>, Fault> {
    if number.is_finite() { Ok(Token::Float(number)) } else { Err(Fault::new(at, What::Float)) }
}

#[inline(always)]
fn binary<'a>(reader: &mut Reader<'a>) -> Result<Token<'a>, Fault> {
    let length = reader.length32()?;
    reader.take(length).map(Token::Binary)
}

fn string<'a>(reader: &mut Reader<'a>) -> Result<Token<'a>, Fault> {
    match reader.length16()? {
        0 => Ok(Token::Nil),
        length => reader.take(length).map(Token::Bytes),
    }
}

/// Reads a bitstring. If its last byte is complete, or if it is empty, it is a binary.
fn bits<'a>(reader: &mut Reader<'a>) -> Result<Token<'a>, Fault> {
    let fault = reader.fault(What::Bits);
    let length = reader.length32()?;
    let in_last_byte = reader.u8()?;
    let bytes = reader.take(length)?;
    match (in_last_byte, length) {
        (0, 0) => Ok(Token::Binary(bytes)),
        (8, 1..) => Ok(Token::Binary(bytes)),
        (1..=7, 1..) => Ok(Token::Opaque),
        _ => Err(fault),
    }
}
