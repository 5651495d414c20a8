//! Reads the keys and values of the structs that have a Python type.

use super::etf::atom::Name;
use super::etf::{Token, token};
use super::integer::Integer;
use super::reader::Reader;

/// Reads an atom; `None` for anything else.
pub(super) fn atom<'t>(reader: &mut Reader<'t>) -> Option<&'t str> {
    match token::next(reader) {
        Ok(Token::Atom(Name::Utf8(text))) => Some(text),
        _ => None,
    }
}

/// Reads a binary; `None` for anything else.
pub(super) fn binary<'t>(reader: &mut Reader<'t>) -> Option<&'t [u8]> {
    match token::next(reader) {
        Ok(Token::Binary(bytes)) => Some(bytes),
        _ => None,
    }
}

/// Reads an integer of 64 bits; `None` for anything else.
pub(super) fn number(reader: &mut Reader<'_>) -> Option<i64> {
    match token::next(reader) {
        Ok(Token::Integer(Integer::Small(number))) => Some(number),
        _ => None,
    }
}
