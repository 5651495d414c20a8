//! Checks a whole term before any of it is shown: its form, and that no map has duplicate keys.
//!
//! Keys may be terms of any size. Each distinct term inside a key therefore gets a number, derived from the numbers of
//! its parts. Keys are equal if their numbers are.

use std::collections::{HashMap, HashSet};

use super::words;
use crate::codec::equality::{self, View};
use crate::codec::error::{Fault, What};
use crate::codec::etf::{Token, skip, token};
use crate::codec::reader::Reader;

/// The maps whose keys are all names, which Elixir prints as `name: value`.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// The offsets of their first keys, ascending.
    first_keys: Vec<usize>,
}

impl Records {
    /// Returns whether the map whose first key is at this offset is one.
    pub(super) fn has(&self, first_key: usize) -> bool {
        self.first_keys.binary_search(&first_key).is_ok()
    }
}

/// Reads exactly one term.
pub(super) fn check(term: &[u8]) -> Result<Records, Fault> {
    let mut checker =
        Checker { reader: Reader::new(term), open: Vec::new(), numbers: HashMap::new(), found: Vec::new() };
    checker.term()?;
    while !checker.open.is_empty() {
        checker.step()?;
    }
    checker.reader.end()?;
    checker.found.sort_unstable();
    Ok(Records { first_keys: checker.found })
}

/// The number of a distinct term.
type Number = u32;

struct Checker<'a> {
    reader: Reader<'a>,
    open: Vec<Open>,
    numbers: HashMap<Vec<u8>, Number>,
    found: Vec<usize>,
}

/// A term whose parts are being read.
struct Open {
    kind: Kind,
    /// How many parts are still to come, without the tail of a list.
    left: u64,
    /// The offset of the first part.
    at: usize,
    /// Whether it is part of a key.
    in_key: bool,
    /// The numbers of its parts: of all parts if it is in a key, otherwise of the keys.
    parts: Vec<Number>,
    /// The offset of each key.
    keys: Vec<usize>,
    /// Whether all keys are names.
    is_record: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    List,
    /// The tail of an improper list is being read.
    Improper,
    Tuple,
    Map,
}

impl<'a> Checker<'a> {
    /// Reads the next part of the innermost open term, or closes it.
    fn step(&mut self) -> Result<(), Fault> {
        let at = self.reader.at();
        let Some(top) = self.open.last_mut() else { return Ok(()) };
        if top.left == 0 {
            return if top.kind == Kind::List { self.tail() } else { self.close() };
        }
        top.left -= 1;
        if top.kind == Kind::Map && top.left % 2 == 1 {
            top.keys.push(at);
        }
        self.term()
    }

    /// Reads one term, or opens it.
    fn term(&mut self) -> Result<(), Fault> {
        let before = self.reader;
        let token = token::next(&mut self.reader)?;
        self.note_key(token);
        match token {
            Token::List(count) => self.enter(Kind::List, u64::from(count)),
            Token::Tuple(count) => self.enter(Kind::Tuple, u64::from(count)),
            Token::Map(pairs) => self.enter(Kind::Map, 2 * u64::from(pairs)),
            Token::Fun(_) => {
                self.reader = before;
                skip(&mut self.reader)?;
                self.scalar(token, before)?;
            }
            _ => self.scalar(token, before)?,
        }
        Ok(())
    }

    /// Returns whether the next term needs a number.
    fn is_wanted(&self) -> bool {
        self.open.last().is_some_and(|top| top.in_key || (top.kind == Kind::Map && top.left % 2 == 1))
    }

    fn note_key(&mut self, token: Token<'_>) {
        if let Some(top) = self.open.last_mut()
            && top.kind == Kind::Map
            && top.left % 2 == 1
        {
            top.is_record &= matches!(token, Token::Atom(name) if words::is_elixir_key(&name.text()));
        }
    }

    fn enter(&mut self, kind: Kind, left: u64) {
        let (at, in_key) = (self.reader.at(), self.is_wanted());
        let is_record = kind == Kind::Map && left > 0;
        self.open.push(Open { kind, left, at, in_key, parts: Vec::new(), keys: Vec::new(), is_record });
    }

    /// Numbers a scalar.
    fn scalar(&mut self, token: Token<'_>, before: Reader<'a>) -> Result<(), Fault> {
        if !self.is_wanted() {
            return Ok(());
        }
        let image = match token {
            Token::Nil => b"N".to_vec(),
            Token::Bytes(bytes) => {
                let parts: Vec<_> = bytes.iter().map(|byte| self.integer(*byte)).collect();
                let nil = self.number(b"N".to_vec());
                joined(b'L', parts.into_iter().chain([nil]))
            }
            _ => {
                let mut image = Vec::new();
                equality::image(self.reader.since(before.at()), View::Erlang, &mut image)?;
                image
            }
        };
        let number = self.number(image);
        self.add(number);
        Ok(())
    }

    fn integer(&mut self, byte: u8) -> Number {
        let mut image = Vec::new();
        // Two bytes that encode an integer cannot be refused.
        let _ = equality::image(&[97, byte], View::Erlang, &mut image);
        self.number(image)
    }

    fn number(&mut self, image: Vec<u8>) -> Number {
        let next = self.numbers.len() as Number;
        *self.numbers.entry(image).or_insert(next)
    }

    fn add(&mut self, number: Number) {
        if let Some(top) = self.open.last_mut() {
            top.parts.push(number);
        }
    }

    /// Reads what follows the elements of a list.
    fn tail(&mut self) -> Result<(), Fault> {
        let before = self.reader;
        let wanted = self.is_wanted();
        let token = token::next(&mut self.reader)?;
        match token {
            Token::List(more) => {
                self.go_on(Kind::List, u64::from(more));
                return Ok(());
            }
            Token::Nil if wanted => {
                let nil = self.number(b"N".to_vec());
                self.add(nil);
            }
            Token::Bytes(bytes) if wanted => {
                for byte in bytes {
                    let number = self.integer(*byte);
                    self.add(number);
                }
                let nil = self.number(b"N".to_vec());
                self.add(nil);
            }
            Token::Nil | Token::Bytes(_) => {}
            _ => {
                self.reader = before;
                self.go_on(Kind::Improper, 1);
                return Ok(());
            }
        }
        self.close()
    }

    fn go_on(&mut self, kind: Kind, left: u64) {
        if let Some(top) = self.open.last_mut() {
            (top.kind, top.left) = (kind, left);
        }
    }

    fn close(&mut self) -> Result<(), Fault> {
        let Some(done) = self.open.pop() else { return Ok(()) };
        if done.kind == Kind::Map {
            distinct(&done)?;
            self.found.extend(done.is_record.then_some(done.at));
        }
        if self.is_wanted() {
            let number = self.number(image(done));
            self.add(number);
        }
        Ok(())
    }
}

/// Refuses a map with duplicate keys.
fn distinct(map: &Open) -> Result<(), Fault> {
    let step = if map.in_key { 2 } else { 1 };
    let mut seen = HashSet::with_capacity(map.keys.len());
    let twice = map.parts.iter().step_by(step).zip(&map.keys).find(|(key, _)| !seen.insert(**key));
    twice.map_or(Ok(()), |(_, at)| Err(Fault::new(*at, What::DuplicateKey)))
}

/// The image of a term with parts.
fn image(done: Open) -> Vec<u8> {
    match done.kind {
        Kind::List | Kind::Improper => joined(b'L', done.parts.into_iter()),
        Kind::Tuple => joined(b'T', done.parts.into_iter()),
        Kind::Map => {
            let mut pairs: Vec<_> = done.parts.chunks(2).collect();
            pairs.sort_unstable();
            joined(b'M', pairs.into_iter().flatten().copied())
        }
    }
}

fn joined(kind: u8, parts: impl Iterator<Item = Number>) -> Vec<u8> {
    std::iter::once(kind).chain(parts.flat_map(Number::to_le_bytes)).collect()
}
