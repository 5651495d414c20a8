//! `%Portpool.Bytes{binary: Bin}`: the map that is `bytes` in Python whatever the options say (docs/types.md 1.5).

use super::etf::atom::Name;
use super::etf::{Token, token};
use super::reader::Reader;

/// The name of the struct.
const STRUCT: &str = "Elixir.Portpool.Bytes";

/// Reads the rest of a map that is such a struct, where `reader` stands after the head of a map of so many pairs: the
/// bytes, and the reader after the map. None if it is any other map.
#[inline]
pub(crate) fn bytes(pairs: u32, mut reader: Reader<'_>) -> Option<(&[u8], Reader<'_>)> {
    if pairs != 2 {
        return None;
    }
    let (mut is_ours, mut bytes) = (false, None);
    for _ in 0..pairs {
        let key = atom(&mut reader)?;
        match key {
            "__struct__" => is_ours = atom(&mut reader)? == STRUCT,
            "binary" => bytes = Some(binary(&mut reader)?),
            _ => return None,
        }
    }
    bytes.filter(|_| is_ours).map(|bytes| (bytes, reader))
}

fn atom<'t>(reader: &mut Reader<'t>) -> Option<&'t str> {
    match token::next(reader) {
        Ok(Token::Atom(Name::Utf8(text))) => Some(text),
        _ => None,
    }
}

fn binary<'t>(reader: &mut Reader<'t>) -> Option<&'t [u8]> {
    match token::next(reader) {
        Ok(Token::Binary(bytes)) => Some(bytes),
        _ => None,
    }
}
