//! The bridge to the `eetf` crate, for control-plane terms: options on the way in, errors and status on the way out.
//!
//! `eetf` 0.12 handles only small terms in canonical form: it trusts counts, recurses, panics on some tags, reads
//! FLOAT_EXT as f32, and cannot read Latin-1 atoms. [`decode`] therefore reads terms with our own tokens and rewrites
//! them before `eetf` sees them. `eetf` also writes `[-1]` as `[255]`, lists of bytes as STRING_EXT, and small numbers
//! as bignums. [`encode`] therefore writes the common forms itself and leaves only pids and the like to `eetf`.

use std::collections::HashMap;

use bytes::{BufMut, BytesMut};
use eetf::Term;
use num_bigint::{BigInt, Sign};
use serde_json::Value;

use super::error::{CodecError, Fault, What};
use super::etf::atom::fits;
use super::etf::{Token, tag, token};
use super::integer::{Big, Integer};
use super::reader::Reader;

/// The largest control-plane term, in bytes.
const LARGEST: usize = 1 << 20;
/// How deep a control-plane term may nest.
const MAX_DEPTH: usize = 64;

/// Decodes one control-plane term, without version byte.
///
/// Byte strings become `Term::List`; numbers that fit become `Term::FixInteger`.
///
/// # Errors
/// `Malformed` if the input is not exactly one term, nests deeper than 64, or contains a pid, reference, port, fun,
/// bitstring or improper list; `TooLarge` beyond 1 MiB.
pub fn decode(span: &[u8]) -> Result<Term, CodecError> {
    if span.len() > LARGEST {
        return Err(CodecError::too_large(span.len() as u64, LARGEST));
    }
    let mut canonical = BytesMut::with_capacity(span.len() + 16);
    canonical.put_u8(tag::VERSION);
    canonicalise(span, &mut canonical).map_err(Fault::at_byte)?;
    Term::decode(canonical.as_ref()).map_err(|error| CodecError::malformed(error.to_string()))
}

/// Rewrites a term in the forms that `eetf` reads correctly.
fn canonicalise(span: &[u8], out: &mut BytesMut) -> Result<(), Fault> {
    let mut reader = Reader::new(span);
    // Per level: how many terms are still to come, and whether the empty list must follow them.
    let mut open = vec![(1, false)];
    while let Some((left, is_list)) = open.last_mut() {
        if *left == 0 {
            if *is_list {
                nil(&mut reader, out)?;
            }
            open.pop();
            continue;
        }
        *left -= 1;
        if open.len() > MAX_DEPTH {
            return Err(reader.fault(What::ControlDepth));
        }
        open.extend(rewrite(&mut reader, out)?);
    }
    reader.end()
}

fn nil(reader: &mut Reader<'_>, out: &mut BytesMut) -> Result<(), Fault> {
    let fault = reader.fault(What::NotAList);
    out.put_u8(tag::NIL_EXT);
    if token::next(reader)? == Token::Nil { Ok(()) } else { Err(fault) }
}

/// Rewrites one token and returns what it opens.
fn rewrite(reader: &mut Reader<'_>, out: &mut BytesMut) -> Result<Option<(u64, bool)>, Fault> {
    let fault = reader.fault(What::ControlTerm);
    match token::next(reader)? {
        Token::Integer(number) => number.write_term(out),
        Token::Float(number) => float(number, out),
        Token::Atom(name) => atom(&name.text(), out),
        Token::Binary(bytes) => binary(bytes, out),
        Token::Nil => out.put_u8(tag::NIL_EXT),
        Token::Bytes(bytes) => {
            head(tag::LIST_EXT, bytes.len(), out);
            bytes.iter().for_each(|byte| out.put_slice(&[tag::SMALL_INTEGER_EXT, *byte]));
            out.put_u8(tag::NIL_EXT);
        }
        Token::List(count) => {
            head(tag::LIST_EXT, count as usize, out);
            return Ok(Some((u64::from(count), true)));
        }
        Token::Tuple(arity) => {
            head(tag::LARGE_TUPLE_EXT, arity as usize, out);
            return Ok(Some((u64::from(arity), false)));
        }
        Token::Map(pairs) => {
            head(tag::MAP_EXT, pairs as usize, out);
            return Ok(Some((2 * u64::from(pairs), false)));
        }
        Token::Opaque | Token::Fun(_) => return Err(fault),
    }
    Ok(None)
}

/// Writes a term, without version byte, in the forms of docs/protocol.md 11.2.
///
/// # Errors
/// `Unencodable` if an atom in it has more than 255 characters.
pub fn encode(term: &Term, out: &mut BytesMut) -> Result<(), CodecError> {
    let mut todo = vec![Item::Term(term)];
    while let Some(item) = todo.pop() {
        match item {
            Item::Term(term) => encode_one(term, out, &mut todo)?,
            Item::Nil => out.put_u8(tag::NIL_EXT),
        }
    }
    Ok(())
}

/// What remains to be written.
enum Item<'t> {
    Term(&'t Term),
    Nil,
}

fn encode_one<'t>(term: &'t Term, out: &mut BytesMut, todo: &mut Vec<Item<'t>>) -> Result<(), CodecError> {
    match term {
        Term::Atom(name) if !fits(&name.name) => {
            return Err(CodecError::unencodable(String::new(), "an atom has more than 255 characters"));
        }
        Term::Atom(name) => atom(&name.name, out),
        Term::FixInteger(number) => Integer::Small(i64::from(number.value)).write_term(out),
        Term::BigInteger(number) => integer(&number.value, out),
        Term::Float(number) => float(number.value, out),
        Term::Binary(binary_) => binary(&binary_.bytes, out),
        Term::ByteList(list) if list.bytes.is_empty() => out.put_u8(tag::NIL_EXT),
        Term::ByteList(list) => {
            head(tag::LIST_EXT, list.bytes.len(), out);
            list.bytes.iter().for_each(|byte| out.put_slice(&[tag::SMALL_INTEGER_EXT, *byte]));
            out.put_u8(tag::NIL_EXT);
        }
        Term::List(list) => {
            if !list.elements.is_empty() {
                head(tag::LIST_EXT, list.elements.len(), out);
            }
            todo.push(Item::Nil);
            todo.extend(list.elements.iter().rev().map(Item::Term));
        }
        Term::ImproperList(list) => {
            head(tag::LIST_EXT, list.elements.len(), out);
            todo.push(Item::Term(&list.last));
            todo.extend(list.elements.iter().rev().map(Item::Term));
        }
        Term::Tuple(tuple) => {
            match u8::try_from(tuple.elements.len()) {
                Ok(small) => out.put_slice(&[tag::SMALL_TUPLE_EXT, small]),
                Err(_) => head(tag::LARGE_TUPLE_EXT, tuple.elements.len(), out),
            }
            todo.extend(tuple.elements.iter().rev().map(Item::Term));
        }
        Term::Map(map) => {
            head(tag::MAP_EXT, map.map.len(), out);
            todo.extend(sorted(map).into_iter().rev().flat_map(|(key, value)| [Item::Term(value), Item::Term(key)]));
        }
        other => foreign(other, out)?,
    }
    Ok(())
}

/// The entries of a map, in an order that is the same in every run.
fn sorted(map: &eetf::Map) -> Vec<(&Term, &Term)> {
    let mut entries: Vec<_> = map.map.iter().collect();
    entries.sort_by_cached_key(|(key, _)| key.to_string());
    entries
}

fn foreign(term: &Term, out: &mut BytesMut) -> Result<(), CodecError> {
    let mut packet = Vec::new();
    term.encode(&mut packet).map_err(|error| CodecError::unencodable(String::new(), error.to_string()))?;
    out.put_slice(packet.get(1..).unwrap_or_default());
    Ok(())
}

fn head(tag: u8, count: usize, out: &mut BytesMut) {
    out.put_u8(tag);
    // Control-plane terms are small.
    out.put_u32(count as u32);
}

fn atom(name: &str, out: &mut BytesMut) {
    match u8::try_from(name.len()) {
        Ok(length) => out.put_slice(&[tag::SMALL_ATOM_UTF8_EXT, length]),
        Err(_) => {
            out.put_u8(tag::ATOM_UTF8_EXT);
            out.put_u16(name.len() as u16);
        }
    }
    out.put_slice(name.as_bytes());
}

fn binary(bytes: &[u8], out: &mut BytesMut) {
    head(tag::BINARY_EXT, bytes.len(), out);
    out.put_slice(bytes);
}

fn float(number: f64, out: &mut BytesMut) {
    out.put_u8(tag::NEW_FLOAT_EXT);
    out.put_f64(number);
}

fn integer(number: &BigInt, out: &mut BytesMut) {
    let (sign, magnitude) = number.to_bytes_le();
    let big = Integer::Big(Big::Magnitude { negative: sign == Sign::Minus, bytes: &magnitude });
    i64::try_from(number).map_or(big, Integer::Small).write_term(out);
}

/// Turns JSON into a term for the `detail` of an error (docs/protocol.md 9): object keys become atoms, strings
/// binaries, null `nil`.
///
/// A key too long for an atom becomes a binary.
pub fn from_json(value: &Value) -> Term {
    let mut open = Vec::new();
    let mut done = begin(value, &mut open);
    loop {
        match (open.pop(), done) {
            (None, Some(term)) => return term,
            // Unreachable: while there is work left, something is open.
            (None, None) => return eetf::Atom::from("nil").into(),
            (Some(Open::Array(mut rest, mut elements)), term) => {
                elements.extend(term);
                let next = rest.next();
                done = match next {
                    Some(value) => {
                        open.push(Open::Array(rest, elements));
                        begin(value, &mut open)
                    }
                    None => Some(eetf::List::from(elements).into()),
                };
            }
            (Some(Open::Object(mut rest, mut key, mut entries)), term) => {
                entries.extend(key.take().zip(term));
                let next = rest.next();
                done = match next {
                    Some((name, value)) => {
                        open.push(Open::Object(rest, Some(key_term(name)), entries));
                        begin(value, &mut open)
                    }
                    None => Some(eetf::Map::from(entries).into()),
                };
            }
        }
    }
}

/// JSON that is being converted.
enum Open<'v> {
    Array(std::slice::Iter<'v, Value>, Vec<Term>),
    Object(serde_json::map::Iter<'v>, Option<Term>, HashMap<Term, Term>),
}

/// Converts a scalar into a term; opens anything else.
fn begin<'v>(value: &'v Value, open: &mut Vec<Open<'v>>) -> Option<Term> {
    match value {
        Value::Null => Some(eetf::Atom::from("nil").into()),
        Value::Bool(value) => Some(eetf::Atom::from(if *value { "true" } else { "false" }).into()),
        Value::Number(number) => Some(number_term(&number.to_string())),
        Value::String(text) => Some(eetf::Binary::from(text.as_bytes()).into()),
        Value::Array(elements) => {
            open.push(Open::Array(elements.iter(), Vec::with_capacity(elements.len())));
            None
        }
        Value::Object(object) => {
            open.push(Open::Object(object.iter(), None, HashMap::with_capacity(object.len())));
            None
        }
    }
}

fn key_term(name: &str) -> Term {
    if fits(name) { eetf::Atom::from(name).into() } else { eetf::Binary::from(name.as_bytes()).into() }
}

fn number_term(text: &str) -> Term {
    match (text.parse::<i32>(), text.parse::<BigInt>(), text.parse::<f64>()) {
        (Ok(small), _, _) => eetf::FixInteger::from(small).into(),
        (_, Ok(value), _) => eetf::BigInteger { value }.into(),
        (_, _, Ok(value)) if value.is_finite() => eetf::Float { value }.into(),
        _ => eetf::Binary::from(text.as_bytes()).into(),
    }
}
