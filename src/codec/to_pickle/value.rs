//! Turns one term into one Python value, or its beginning, as docs/types.md defines.

use super::{Encoder, OUT_OF_BAND, Open, Shape};
use crate::codec::error::{Fault, What};
use crate::codec::etf::atom::Name;
use crate::codec::etf::{Token, skip, tag, token};
use crate::codec::floats;
use crate::codec::global::Global;
use crate::codec::keys::{self, Extent};
use crate::codec::memo::Kind;
use crate::codec::opcode;
use crate::codec::options::Binaries;
use crate::codec::pickle_writer::PickleWriter;
use crate::codec::reader::Reader;
use crate::codec::records;
use crate::codec::structs;

impl<'t> Encoder<'t, '_> {
    /// Writes one term, or opens it.
    #[inline(always)]
    pub(super) fn term(&mut self, reader: &mut Reader<'t>) -> Result<(), Fault> {
        let before = reader.at();
        let token = token::next(reader)?;
        self.token(token, before, reader)
    }

    /// Writes or opens the next element, with `left` still to come; of a run of numbers, all of them.
    #[inline]
    pub(super) fn elements(&mut self, left: u32, reader: &mut Reader<'t>) -> Result<(), Fault> {
        let run = match reader.peek() {
            Some(tag::NEW_FLOAT_EXT) => self.floats(left, reader),
            Some(tag::SMALL_INTEGER_EXT | tag::INTEGER_EXT) => self.integers(left, reader),
            _ => 0,
        };
        if run == 0 {
            return self.term(reader);
        }
        // One has been counted already.
        self.open.last_mut().into_iter().for_each(|top| top.left -= run - 1);
        Ok(())
    }

    /// Writes adjacent floats, up to `most`, and returns how many.
    fn floats(&mut self, most: u32, reader: &mut Reader<'t>) -> u32 {
        let count = floats::count(reader.rest(), tag::NEW_FLOAT_EXT, most as usize);
        self.out.floats(reader.take(count * floats::SIZE).unwrap_or_default());
        // No more than `most`.
        count as u32
    }

    /// Writes adjacent small integers, up to `most`, and returns how many.
    fn integers(&mut self, most: u32, reader: &mut Reader<'t>) -> u32 {
        let mut count = 0;
        while count < most
            && let Some(number) = small_integer(reader)
        {
            self.out.int(i64::from(number));
            count += 1;
        }
        count
    }

    /// Writes a key, or opens it if it is a tuple, and records it.
    pub(super) fn key(&mut self, reader: &mut Reader<'t>, is_record: bool) -> Result<(), Fault> {
        if let Some(Open { shape: Shape::Map { keys, is_struct, .. }, .. }) = self.open.last_mut()
            && let Some(key) = self.keys.take_known(keys, reader)
        {
            *is_struct |= key.is_name && structs::has_atom_next(reader);
            self.out.get(key.memo);
            return Ok(());
        }
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
            Token::Atom(name) => {
                if let Some(index) = self.atom(name) {
                    self.keys.is_memoised(index);
                }
                Ok(())
            }
            _ => self.token(token, before, reader),
        }
    }

    #[inline(always)]
    fn token(&mut self, token: Token<'t>, before: usize, reader: &mut Reader<'t>) -> Result<(), Fault> {
        match token {
            Token::Integer(number) => self.out.integer(number),
            Token::Float(number) => self.out.float(number),
            Token::Atom(name) => drop(self.atom(name)),
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
                None => self.map(pairs, reader),
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

    fn map(&mut self, pairs: u32, reader: &Reader<'t>) {
        if pairs == 0 {
            return self.out.op(opcode::EMPTY_DICT);
        }
        self.out.dict_start();
        let shape = Shape::Map {
            is_record: pairs <= records::LARGEST,
            keys: self.keys.open(pairs, reader),
            is_struct: false,
            by_pairs: false,
        };
        // Pairs take two bytes each, and inputs are smaller than 4 GiB.
        self.open.push(Open { left: pairs.saturating_mul(2), shape });
    }

    #[inline]
    fn binary(&mut self, bytes: &'t [u8], before: usize) -> Result<(), Fault> {
        match self.options.binaries {
            Binaries::Str => text(bytes, before, &mut self.out)?,
            Binaries::Bytes => self.bytes(bytes),
        }
        Ok(())
    }

    /// Writes `bytes`, or a reference to the next buffer next to the pickle.
    pub(super) fn bytes(&mut self, bytes: &'t [u8]) {
        if bytes.len() < OUT_OF_BAND {
            return self.out.bytes(bytes);
        }
        self.out.op(opcode::NEXT_BUFFER);
        self.buffers.push(bytes);
    }

    /// Writes `true`, `false` and the atom that is `None` as their Python values, any other atom as a `portpool.Atom`;
    /// returns the memo index of that.
    fn atom(&mut self, name: Name<'t>) -> Option<u32> {
        match name {
            Name::Utf8("true") => self.out.bool(true),
            Name::Utf8("false") => self.out.bool(false),
            Name::Utf8(text) if text == self.options.none.atom() => self.out.none(),
            _ => return self.other_atom(name),
        }
        None
    }

    fn other_atom(&mut self, name: Name<'t>) -> Option<u32> {
        let kind = if let Name::Utf8(_) = name { Kind::Atom } else { Kind::Latin1Atom };
        let slot = self.memo.look_up(kind, name.raw());
        let found = slot.as_ref().and_then(|slot| slot.found);
        if let Some(index) = found {
            self.out.get(index);
            return found;
        }
        self.out.global(Global::Atom);
        self.out.str(&name.text());
        self.out.raw(&[opcode::TUPLE1, opcode::REDUCE]);
        slot.map(|slot| slot.note(self.out.memoize()))
    }

    fn record_key(&mut self, bytes: &'t [u8], before: usize) -> Result<(), Fault> {
        let Some(slot) = self.memo.look_up(Kind::Text, bytes) else { return self.binary(bytes, before) };
        let index = match slot.found {
            Some(index) => {
                self.out.get(index);
                index
            }
            None => {
                match self.options.binaries {
                    Binaries::Str => text(bytes, before, &mut self.out)?,
                    Binaries::Bytes => self.out.bytes(bytes),
                }
                slot.note(self.out.memoize())
            }
        };
        self.keys.is_memoised(index);
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

/// Takes the next term if it is an integer of one byte or one word.
#[inline]
fn small_integer(reader: &mut Reader<'_>) -> Option<i32> {
    let (number, size) = match reader.rest() {
        [tag::SMALL_INTEGER_EXT, byte, ..] => (i32::from(*byte), 2),
        [tag::INTEGER_EXT, a, b, c, d, ..] => (i32::from_be_bytes([*a, *b, *c, *d]), 5),
        _ => return None,
    };
    reader.go_to(reader.at() + size);
    Some(number)
}

#[inline]
fn text(bytes: &[u8], at: usize, out: &mut PickleWriter) -> Result<(), Fault> {
    if out.utf8(bytes) { Ok(()) } else { Err(Fault::new(at, What::BinaryText)) }
}

fn end_of_term(mut reader: Reader<'_>, at: usize) -> Result<usize, Fault> {
    reader.go_to(at);
    skip(&mut reader)?;
    Ok(reader.at())
}
