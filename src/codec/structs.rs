//! Structs that have a type of their own in Python; any other is a dict: docs/types.md 1.5, 1.7 and 1.8.

use super::calendar::{self, Moment};
use super::etf::atom::Name;
use super::etf::{Token, skip, tag, token};
use super::fields::{atom, binary};
use super::reader::Reader;
use super::tensor::{self, Tensor};

/// The contents of such a struct.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Own<'t> {
    /// `%Portpool.Bytes{}`: `bytes` under any options.
    Bytes(&'t [u8]),
    /// `%Date{}`, `%Time{}`, `%NaiveDateTime{}`, `%DateTime{}`.
    Moment(Moment<'t>),
    /// `%Portpool.Tensor{}`.
    Tensor(Tensor<'t>),
}

impl Own<'_> {
    /// Returns whether it can be a key in Python.
    pub(crate) fn is_hashable(&self) -> bool {
        !matches!(self, Self::Tensor(_))
    }
}

/// Reads the rest of a map that is such a struct, with `reader` after the head of a map of `pairs` pairs. Returns the
/// struct, and the reader after the map. Returns `None` for any other map.
#[inline(always)]
pub(crate) fn read<'t>(pairs: u32, reader: Reader<'t>) -> Option<(Own<'t>, Reader<'t>)> {
    // Rules out most maps.
    if !matches!(pairs, 2 | 4 | 5 | 6 | 9 | 13) || !has_atom_next(&reader) {
        return None;
    }
    read_struct(pairs, reader)
}

#[inline(never)]
fn read_struct<'t>(pairs: u32, reader: Reader<'t>) -> Option<(Own<'t>, Reader<'t>)> {
    match pairs {
        2 => bytes(reader).map(|(bytes, after)| (Own::Bytes(bytes), after)),
        4 => tensor::read(reader).map(|(tensor, after)| (Own::Tensor(tensor), after)),
        _ => calendar::read(pairs, reader).map(|(moment, after)| (Own::Moment(moment), after)),
    }
}

/// Returns where a map ends if it is a struct, that is, if it has a name, with `reader` after the head of a map of
/// `pairs` pairs.
pub(crate) fn end_of_named(pairs: u32, mut reader: Reader<'_>) -> Option<usize> {
    let mut named = false;
    for _ in 0..pairs {
        let before = reader.at();
        if token::next(&mut reader).ok()? == NAME {
            named |= has_atom_next(&reader);
        } else {
            reader.go_to(before);
            skip(&mut reader).ok()?;
        }
        skip(&mut reader).ok()?;
    }
    named.then_some(reader.at())
}

/// The key that makes a map a struct, if its value is an atom.
pub(crate) const NAME: Token<'_> = Token::Atom(Name::Utf8("__struct__"));

/// Returns whether the next term is an atom.
pub(crate) fn has_atom_next(reader: &Reader<'_>) -> bool {
    reader.peek().is_some_and(is_atom_tag)
}

fn is_atom_tag(tag: u8) -> bool {
    matches!(tag, tag::SMALL_ATOM_UTF8_EXT | tag::ATOM_EXT | tag::SMALL_ATOM_EXT | tag::ATOM_UTF8_EXT)
}

/// `%Portpool.Bytes{binary: Bin}`: exactly these two keys.
fn bytes(mut reader: Reader<'_>) -> Option<(&[u8], Reader<'_>)> {
    let (mut is_ours, mut bytes) = (false, None);
    for _ in 0..2 {
        match atom(&mut reader)? {
            "__struct__" => is_ours = atom(&mut reader)? == "Elixir.Portpool.Bytes",
            "binary" => bytes = Some(binary(&mut reader)?),
            _ => return None,
        }
    }
    bytes.filter(|_| is_ours).map(|bytes| (bytes, reader))
}
