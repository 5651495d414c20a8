//! Images of keys: two keys are equal if and only if their images are the same bytes.
//!
//! In Python `:a` equals `"a"`, and `1`, `1.0` and `true` are equal, also inside tuples. Erlang tells them apart.

use super::calendar::Moment;
use super::error::Fault;
use super::etf::atom::Name;
use super::etf::{Token, skip, token};
use super::integer::Integer;
use super::options::{Binaries, Options};
use super::reader::Reader;
use super::structs::{self, Own};

/// Which equality counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    /// That of `dict`, with these options.
    Python(Options),
    /// That of `=:=` from OTP 27 on, where 0.0 and -0.0 are different keys. Earlier releases have only one of them and
    /// never send both.
    Erlang,
}

/// Appends the image of one hashable key to `out`.
pub(crate) fn image(key: &[u8], view: View, out: &mut Vec<u8>) -> Result<(), Fault> {
    let mut reader = Reader::new(key);
    while reader.left() > 0 {
        let before = reader.at();
        match token::next(&mut reader)? {
            Token::Integer(number) => integer(number, out),
            Token::Float(number) => float(number, view, out),
            Token::Atom(name) => atom(name, view, out),
            Token::Binary(bytes) => text(if is_str(view) { b's' } else { b'b' }, bytes, out),
            Token::Tuple(arity) => {
                out.push(b't');
                out.extend_from_slice(&arity.to_le_bytes());
            }
            Token::Map(pairs) if view != View::Erlang => match structs::read(pairs, reader) {
                Some((own, after)) => {
                    own_struct(&own, out);
                    reader = after;
                }
                // Only Python knows what it is equal to.
                None => opaque(&mut reader, before, out)?,
            },
            _ => opaque(&mut reader, before, out)?,
        }
    }
    Ok(())
}

/// Returns whether binaries equal atoms of the same text.
fn is_str(view: View) -> bool {
    matches!(view, View::Python(Options { binaries: Binaries::Str, .. }))
}

fn text(kind: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(&bytes.len().to_le_bytes());
    out.extend_from_slice(bytes);
}

/// A term that is equal only to the same bytes.
fn opaque(reader: &mut Reader<'_>, at: usize, out: &mut Vec<u8>) -> Result<(), Fault> {
    reader.go_to(at);
    skip(reader)?;
    text(b'o', reader.since(at), out);
    Ok(())
}

fn own_struct(own: &Own<'_>, out: &mut Vec<u8>) {
    match own {
        Own::Bytes(bytes) => text(b'b', bytes, out),
        Own::Moment(moment) => instant(moment, out),
        // Not a key.
        Own::Tensor(_) => {}
    }
}

/// Two moments of one kind are equal if their instants are, whatever their precision and, if they have one, their zone.
fn instant(moment: &Moment<'_>, out: &mut Vec<u8>) {
    out.push(b'm');
    out.extend([moment.day.is_some(), moment.clock.is_some(), moment.zone.is_some()].map(u8::from));
    out.extend_from_slice(&moment.instant().to_le_bytes());
}

fn atom(name: Name<'_>, view: View, out: &mut Vec<u8>) {
    match (view, name) {
        (View::Python(options), Name::Utf8(name)) if name == options.none.atom() => out.push(b'n'),
        (View::Python(_), Name::Utf8("true")) => integer(Integer::Small(1), out),
        (View::Python(_), Name::Utf8("false")) => integer(Integer::Small(0), out),
        (View::Python(_), name) => text(b's', name.text().as_bytes(), out),
        (View::Erlang, name) => text(b'a', name.text().as_bytes(), out),
    }
}

fn integer(number: Integer<'_>, out: &mut Vec<u8>) {
    match number {
        Integer::Small(number) => whole(number < 0, &number.unsigned_abs().to_le_bytes(), out),
        Integer::Big(big) => whole(big.is_negative(), &big.magnitude(), out),
    }
}

fn whole(negative: bool, magnitude: &[u8], out: &mut Vec<u8>) {
    let length = magnitude.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    text(if negative { b'-' } else { b'+' }, magnitude.get(..length).unwrap_or_default(), out);
}

fn float(number: f64, view: View, out: &mut Vec<u8>) {
    match whole_magnitude(number) {
        Some(magnitude) if view != View::Erlang => whole(number < 0.0, &magnitude, out),
        _ => text(b'f', &number.to_bits().to_le_bytes(), out),
    }
}

/// The exact magnitude of a float without a fraction; `None` if it has one.
fn whole_magnitude(number: f64) -> Option<Vec<u8>> {
    if number.fract() != 0.0 {
        return None;
    }
    let bits = number.to_bits();
    let fraction = u128::from(bits & ((1 << 52) - 1));
    match (bits >> 52 & 0x7ff) as usize {
        // Zero: no other magnitude below 1 lacks a fraction.
        0 => Some(Vec::new()),
        exponent if exponent < 1075 => Some(((fraction | 1 << 52) >> (1075 - exponent)).to_le_bytes().to_vec()),
        exponent => {
            let shift = exponent - 1075;
            let mut magnitude = vec![0; shift / 8];
            magnitude.extend_from_slice(&((fraction | 1 << 52) << (shift % 8)).to_le_bytes());
            Some(magnitude)
        }
    }
}
