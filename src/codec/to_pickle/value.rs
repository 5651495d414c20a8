//! One term becomes one Python value, or the beginning of one; docs/types.md says which.

use super::{Encoder, OUT_OF_BAND, Open, Shape};
use crate::codec::error::{Fault, What};
use crate::codec::etf::atom::Name;
use crate::codec::etf::{Token, skip, token};
use crate::codec::global::Global;
use crate::codec::keys::{self, Extent};
use crate::codec::memo::Kind;
use crate::codec::opcode;
use crate::codec::options::Binaries;
use crate::codec::reader::Reader;
use crate::codec::structs;

/// Maps with more keys than this are tables, not records: their keys will hardly be seen again.
const LARGEST_RECORD: u32 = 64;

impl<'t> Encoder<'t, '_> {
    /// Writes one term, or opens it.
    #[inline(always)]
    pub(super) fn term(&mut self, reader: &mut Reader<'t>) -> Result<(), Fault> {
        let before = reader.at();
        let token = token::next(reader)?;
        self.token(token, before, reader)
    }

    /// Writes a key, or opens it if it is a tuple, and takes note of it.
    pub(super) fn key(&mut self, reader: &mut Reader<'t>, is_record: bool) -> Result<(), Fault> {
        let before = reader.at();
        let token = token::next(reader)?;
        let key = match token {
            Token::Tuple(arity) => keys::check_tuple(*reader, arity)?,
            Token::Fun(_) => Extent::to(end_of_term(*reader, before)?),
            Token::Map(pairs) => keys::check_map(*reader, pairs, before)?,
            token if keys::is_hashable(token) => Extent::to(reader.at()),
            _ => return Err(Fault::new(before, What::UnhashableKey)),
        };
        if let Some(Open { shape: Shape::Map { keys, is_struct, by_pairs, .. }, .. }) = self.open.last_mut() {
            self.keys.push(keys, reader.whole(), before, key.end);
            *is_struct |= token == structs::NAME && structs::has_atom_next(reader);
            *by_pairs |= key.has_struct;
        }
        if key.has_struct {
            self.structs.enter_key(before, key.end)?;
        }
        match token {
            Token::Binary(bytes) if is_record => self.record_key(bytes, before),
            _ => self.token(token, before, reader),
        }
    }

    #[inline(always)]
    fn token(&mut self, token: Token<'t>, before: usize, reader: &mut Reader<'t>) -> Result<(), Fault> {
        match token {
            Token::Integer(number) => self.out.integer(number),
            Token::Float(number) => self.out.float(number),
            Token::Atom(name) => self.atom(name),
            Token::Binary(bytes) => self.binary(bytes, before)?,
            Token::Nil => self.out.op(opcode::EMPTY_LIST),
            Token::Bytes(bytes) => {
                self.out.list_start();
                self.small_integers(bytes);
                self.out.list_end();
            }
            Token::List(left) => {
                self.out.list_start();
                self.open.push(Open { left, shape: Shape::List { end: opcode::APPENDS } });
            }
            Token::Tuple(arity) => self.tuple(arity),
            Token::Map(pairs) => match structs::read(pairs, *reader) {
                Some((own, after)) => {
                    *reader = after;
                    self.own(own);
                }
                None => self.map(pairs),
            },
            Token::Opaque => self.opaque(reader.since(before)),
            Token::Fun(_) => {
                reader.go_to(before);
                skip(reader)?;
                self.opaque(reader.since(before));
            }
        }
        Ok(())
    }

    fn tuple(&mut self, arity: u32) {
        let end = match arity {
            0 => return self.out.op(opcode::EMPTY_TUPLE),
            1 => opcode::TUPLE1,
            2 => opcode::TUPLE2,
            3 => opcode::TUPLE3,
            _ => {
                self.out.op(opcode::MARK);
                opcode::TUPLE
            }
        };
        self.open.push(Open { left: arity, shape: Shape::Tuple { end } });
    }

    fn map(&mut self, pairs: u32) {
        if pairs == 0 {
            return self.out.op(opcode::EMPTY_DICT);
        }
        self.out.dict_start();
        let shape = Shape::Map {
            is_record: pairs <= LARGEST_RECORD,
            keys: self.keys.open(),
            is_struct: false,
            by_pairs: false,
        };
        // Pairs take two bytes each and inputs have less than 4 GiB.
        self.open.push(Open { left: pairs.saturating_mul(2), shape });
    }

    #[inline]
    fn binary(&mut self, bytes: &'t [u8], before: usize) -> Result<(), Fault> {
        match self.options.binaries {
            Binaries::Str => self.out.utf8(utf8(bytes, before)?),
            Binaries::Bytes => self.bytes(bytes),
        }
        Ok(())
    }

    /// Writes `bytes`, or where the next of those beside the pickle belongs.
    pub(super) fn bytes(&mut self, bytes: &'t [u8]) {
        if bytes.len() < OUT_OF_BAND {
            return self.out.bytes(bytes);
        }
        self.out.op(opcode::NEXT_BUFFER);
        self.buffers.push(bytes);
    }

    /// Writes `true`, `false` and the atom that is `None` as what they are in Python, any other atom as a `portpool.Atom`.
    fn atom(&mut self, name: Name<'t>) {
        match name {
            Name::Utf8("true") => return self.out.bool(true),
            Name::Utf8("false") => return self.out.bool(false),
            Name::Utf8(text) if text == self.options.none.atom() => return self.out.none(),
            _ => {}
        }
        let kind = if let Name::Utf8(_) = name { Kind::Atom } else { Kind::Latin1Atom };
        let slot = self.memo.look_up(kind, name.raw());
        if let Some(index) = slot.as_ref().and_then(|slot| slot.found) {
            return self.out.get(index);
        }
        self.out.global(Global::Atom);
        self.out.str(&name.text());
        self.out.raw(&[opcode::TUPLE1, opcode::REDUCE]);
        if let Some(slot) = slot {
            slot.note(self.out.memoize());
        }
    }

    fn record_key(&mut self, bytes: &'t [u8], before: usize) -> Result<(), Fault> {
        let Some(slot) = self.memo.look_up(Kind::Text, bytes) else { return self.binary(bytes, before) };
        if let Some(index) = slot.found {
            self.out.get(index);
            return Ok(());
        }
        match self.options.binaries {
            Binaries::Str => self.out.utf8(utf8(bytes, before)?),
            Binaries::Bytes => self.out.bytes(bytes),
        }
        slot.note(self.out.memoize());
        Ok(())
    }

    pub(super) fn small_integers(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.out.raw(&[opcode::BININT1, *byte]));
    }

    fn opaque(&mut self, term: &[u8]) {
        self.out.global(Global::Opaque);
        self.out.bytes(term);
        self.out.raw(&[opcode::TUPLE1, opcode::REDUCE]);
    }
}

/// Makes sure that bytes are UTF-8; most are ASCII, which is quicker to see.
#[inline]
fn utf8(bytes: &[u8], at: usize) -> Result<&[u8], Fault> {
    if bytes.is_ascii() || std::str::from_utf8(bytes).is_ok() {
        Ok(bytes)
    } else {
        Err(Fault::new(at, What::BinaryText))
    }
}

fn end_of_term(mut reader: Reader<'_>, at: usize) -> Result<usize, Fault> {
    reader.go_to(at);
    skip(&mut reader)?;
    Ok(reader.at())
}
