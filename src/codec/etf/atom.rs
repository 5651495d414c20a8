//! Atoms: four tags, two encodings, at most 255 characters.

use std::borrow::Cow;

use bytes::BufMut;

use super::tag;
use crate::codec::error::{Fault, What};
use crate::codec::reader::Reader;

/// The maximum length of an atom, in characters.
pub(crate) const MAX_CHARACTERS: usize = 255;

/// The text of an atom, as encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name<'a> {
    /// UTF-8, or ASCII in Latin-1, which is the same.
    Utf8(&'a str),
    /// Latin-1 with characters beyond ASCII: OTP 25 writes `'héllo'` this way.
    Latin1(&'a [u8]),
}

impl<'a> Name<'a> {
    /// The text; copied only for Latin-1.
    pub(crate) fn text(self) -> Cow<'a, str> {
        match self {
            Self::Utf8(text) => Cow::Borrowed(text),
            Self::Latin1(bytes) => Cow::Owned(bytes.iter().map(|byte| char::from(*byte)).collect()),
        }
    }

    /// The raw bytes, in either encoding.
    pub(crate) fn raw(self) -> &'a [u8] {
        match self {
            Self::Utf8(text) => text.as_bytes(),
            Self::Latin1(bytes) => bytes,
        }
    }
}

/// Reads an atom with its tag; anything else is the fault `wrong`.
pub(crate) fn read<'a>(reader: &mut Reader<'a>, wrong: What) -> Result<Name<'a>, Fault> {
    let fault = reader.fault(wrong);
    let tag = reader.u8()?;
    after_tag(reader, tag)?.ok_or(fault)
}

/// Reads what follows an atom's tag; `None` for any other `tag`.
#[inline]
pub(crate) fn after_tag<'a>(reader: &mut Reader<'a>, tag: u8) -> Result<Option<Name<'a>>, Fault> {
    let length = match tag {
        tag::SMALL_ATOM_UTF8_EXT | tag::SMALL_ATOM_EXT => usize::from(reader.u8()?),
        tag::ATOM_EXT | tag::ATOM_UTF8_EXT => reader.length16()?,
        _ => return Ok(None),
    };
    let at = reader.at();
    let bytes = reader.take(length)?;
    let name = if matches!(tag, tag::ATOM_EXT | tag::SMALL_ATOM_EXT) { latin1(bytes) } else { utf8(bytes) };
    name.map(Some).map_err(|what| Fault::new(at, what))
}

fn latin1(bytes: &[u8]) -> Result<Name<'_>, What> {
    match bytes {
        _ if bytes.len() > MAX_CHARACTERS => Err(What::AtomLength),
        _ if bytes.is_ascii() => utf8(bytes),
        _ => Ok(Name::Latin1(bytes)),
    }
}

#[inline]
fn utf8(bytes: &[u8]) -> Result<Name<'_>, What> {
    let text = std::str::from_utf8(bytes).map_err(|_| What::AtomText)?;
    if fits(text) { Ok(Name::Utf8(text)) } else { Err(What::AtomLength) }
}

/// Writes an atom of valid length (docs/protocol.md 11.2).
pub(crate) fn write(text: &str, out: &mut impl BufMut) {
    match u8::try_from(text.len()) {
        Ok(length) => out.put_slice(&[tag::SMALL_ATOM_UTF8_EXT, length]),
        Err(_) => {
            out.put_u8(tag::ATOM_UTF8_EXT);
            // 255 characters of at most four bytes.
            out.put_u16(text.len() as u16);
        }
    }
    out.put_slice(text.as_bytes());
}

/// Returns whether a text fits into an atom: characters count, not bytes.
#[inline]
pub(crate) fn fits(text: &str) -> bool {
    text.len() <= MAX_CHARACTERS || text.chars().count() <= MAX_CHARACTERS
}
