//! Writes a document as an external term: one pass, into memory of exactly the right size (docs/protocol.md 11.2).

use bytes::BufMut;

use super::arena::Kind;
use super::objection::Objection;
use super::root::Document;
use super::scalar::Scalar;
use super::walk::{self, Sink};
use crate::codec::address;
use crate::codec::calendar::Moment;
use crate::codec::distinct;
use crate::codec::error::CodecError;
use crate::codec::etf::{Token, atom, skip, tag, token};
use crate::codec::floats;
use crate::codec::options::NoneIs;
use crate::codec::reader::Reader;
use crate::codec::tensor::Tensor;
use crate::codec::text;

/// The name of the struct that stands for `bytes`: docs/types.md 1.5.
const BYTES: &[u8] = b"Elixir.Portpool.Bytes";

/// Writes the document, whose size is `size` bytes.
pub(super) fn write(document: &Document<'_>, size: usize, out: &mut Vec<u8>) -> Result<(), CodecError> {
    out.reserve_exact(size);
    let before = out.len();
    run(document, false, out)?;
    debug_assert_eq!(out.len() - before, size, "the size was known before");
    Ok(())
}

/// Writes the document with each `bytes` as `%Portpool.Bytes{}`.
pub(super) fn write_with_bytes_apart(document: &Document<'_>, out: &mut Vec<u8>) -> Result<(), CodecError> {
    run(document, true, out)
}

fn run(document: &Document<'_>, bytes_apart: bool, out: &mut Vec<u8>) -> Result<(), CodecError> {
    let mut writer = Writer { out, bytes_apart, none: document.arena.none, keys: Vec::new(), dicts: Vec::new() };
    walk::walk(document, &mut writer)
}

struct Writer<'o> {
    out: &'o mut Vec<u8>,
    /// Whether `bytes` are written otherwise than text.
    bytes_apart: bool,
    /// The atom that `None` is written as.
    none: NoneIs,
    /// The spans in `out` of the keys of all open dicts, the innermost dict's last.
    keys: Vec<Span>,
    /// For each open dict, the number of keys before its own.
    dicts: Vec<usize>,
}

#[derive(Clone, Copy)]
struct Span {
    start: usize,
    end: usize,
}

impl Sink for Writer<'_> {
    #[inline(always)]
    fn scalar(&mut self, scalar: Scalar<'_>) -> Result<(), Objection> {
        match scalar {
            Scalar::Integer(number) => number.write_term(self.out),
            Scalar::Float(number) if number.is_finite() => self.float(number),
            Scalar::Float(_) => return Err(Objection::NotFinite),
            Scalar::Text(text) => self.text(text)?,
            Scalar::Bytes(bytes) if self.bytes_apart => self.bytes_struct(bytes),
            Scalar::Bytes(bytes) => self.binary(bytes),
            Scalar::None => self.small_atom(self.none.atom().as_bytes()),
            Scalar::Bool(true) => self.small_atom(b"true"),
            Scalar::Bool(false) => self.small_atom(b"false"),
        }
        Ok(())
    }

    #[inline]
    fn floats(&mut self, run: &[u8]) -> Result<(), Objection> {
        floats::copy(run, tag::NEW_FLOAT_EXT, self.out);
        Ok(())
    }

    fn atom(&mut self, name: &[u8]) -> Result<(), Objection> {
        let text = utf8(name)?;
        if !atom::fits(text) {
            return Err(Objection::AtomLength);
        }
        atom::write(text, self.out);
        Ok(())
    }

    fn opaque(&mut self, term: &[u8]) -> Result<(), Objection> {
        if !is_one_opaque_term(term) {
            return Err(Objection::Opaque);
        }
        self.out.put_slice(term);
        Ok(())
    }

    fn tensor(&mut self, tensor: &Tensor<'_>) -> Result<(), Objection> {
        tensor.write_term(self.out);
        Ok(())
    }

    fn moment(&mut self, moment: &Moment<'_>) -> Result<(), Objection> {
        moment.write_term(self.out);
        Ok(())
    }

    fn open(&mut self, kind: Kind, count: u32) -> Result<(), Objection> {
        match (kind, u8::try_from(count)) {
            (Kind::Tuple, Ok(small)) => self.out.put_slice(&[tag::SMALL_TUPLE_EXT, small]),
            (Kind::Tuple, Err(_)) => self.head(tag::LARGE_TUPLE_EXT, count),
            (Kind::Dict, _) => {
                self.dicts.push(self.keys.len());
                self.head(tag::MAP_EXT, count / 2);
            }
            (_, Ok(0)) => {}
            _ => self.head(tag::LIST_EXT, count),
        }
        Ok(())
    }

    fn close(&mut self, kind: Kind) -> Result<(), Objection> {
        match kind {
            Kind::List | Kind::Set => self.out.put_u8(tag::NIL_EXT),
            Kind::Dict => self.close_dict()?,
            _ => {}
        }
        Ok(())
    }

    fn key_begins(&mut self) {
        self.keys.push(Span { start: self.out.len(), end: self.out.len() });
    }

    fn key_ends(&mut self) {
        let end = self.out.len();
        self.keys.last_mut().into_iter().for_each(|key| key.end = end);
    }
}

impl Writer<'_> {
    #[inline(always)]
    fn head(&mut self, tag: u8, count: u32) {
        let [a, b, c, d] = count.to_be_bytes();
        self.out.put_slice(&[tag, a, b, c, d]);
    }

    #[inline(always)]
    fn float(&mut self, number: f64) {
        let [a, b, c, d, e, f, g, h] = number.to_be_bytes();
        self.out.put_slice(&[tag::NEW_FLOAT_EXT, a, b, c, d, e, f, g, h]);
    }

    #[inline(always)]
    fn binary(&mut self, bytes: &[u8]) {
        // A pickle is smaller than 2 GiB.
        self.head(tag::BINARY_EXT, bytes.len() as u32);
        self.out.put_slice(bytes);
    }

    #[cold]
    fn bytes_struct(&mut self, bytes: &[u8]) {
        self.head(tag::MAP_EXT, 2);
        self.small_atom(b"__struct__");
        self.small_atom(BYTES);
        self.small_atom(b"binary");
        self.binary(bytes);
    }

    #[inline(always)]
    fn text(&mut self, text: &[u8]) -> Result<(), Objection> {
        self.head(tag::BINARY_EXT, text.len() as u32);
        if text::copy(text, self.out) { Ok(()) } else { Err(Objection::Surrogate) }
    }

    /// Writes an atom of at most 255 bytes.
    fn small_atom(&mut self, name: &[u8]) {
        self.out.put_slice(&[tag::SMALL_ATOM_UTF8_EXT, name.len() as u8]);
        self.out.put_slice(name);
    }

    /// Refuses a dict in which two keys became the same term: `"a"` and `b"a"`, `None` and `Atom("nil")`.
    fn close_dict(&mut self) -> Result<(), Objection> {
        let first = self.dicts.pop().unwrap_or_default();
        let twice = self.keys.get(first..).and_then(|keys| twice(self.out, keys)).map(show);
        self.keys.truncate(first);
        twice.map_or(Ok(()), |key| Err(Objection::KeyCollision(key)))
    }
}

#[inline]
fn utf8(text: &[u8]) -> Result<&str, Objection> {
    std::str::from_utf8(text).map_err(|_| Objection::Surrogate)
}

/// Finds a duplicate key.
#[inline]
fn twice<'o>(out: &'o [u8], keys: &[Span]) -> Option<&'o [u8]> {
    let term = |position: usize| keys.get(position).and_then(|key| out.get(key.start..key.end)).unwrap_or_default();
    distinct::twice(keys.len(), term).map(term)
}

fn show(key: &[u8]) -> String {
    match token::next(&mut Reader::new(key)) {
        Ok(Token::Binary(bytes)) => address::quote(&String::from_utf8_lossy(bytes)),
        Ok(Token::Atom(name)) => format!(":{}", name.text()),
        _ => "in it".to_owned(),
    }
}

fn is_one_opaque_term(term: &[u8]) -> bool {
    let opaque = matches!(token::next(&mut Reader::new(term)), Ok(Token::Opaque | Token::Fun(_)));
    let mut reader = Reader::new(term);
    opaque && skip(&mut reader).is_ok() && reader.end().is_ok()
}
