//! Addresses of values for people: `argument 2, key "stops", element 17`. Counts from 1; built only when a value is
//! refused.

use std::fmt::Write;

use super::etf::{Token, skip, token};
use super::integer::Integer;
use super::reader::Reader;

/// The maximum number of steps shown; longer addresses keep the first and the last few.
const MOST_STEPS: usize = 24;
/// The maximum length of a key that is shown, in characters.
const LONGEST_KEY: usize = 40;

/// The kind of the outermost term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Root {
    /// A list, whose elements are arguments.
    Arguments,
    /// A map, whose values are keyword arguments.
    Keywords,
}

/// One level on the way down.
struct Level {
    kind: Kind,
    total: u64,
    /// The number of terms of this level that have begun.
    begun: u64,
    /// The offset of the last key.
    key_at: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sequence,
    Map,
}

/// Walks `term` again, up to the term at byte `at`, and returns its address.
pub(crate) fn of(root: Root, term: &[u8], at: usize) -> String {
    let mut reader = Reader::new(term);
    let mut levels = Vec::new();
    // An unreadable term has no address: `at` then lies in what precedes it.
    while reader.at() < at && step(&mut reader, &mut levels).is_some() {}
    begin_next(&mut levels, &reader);
    let steps: Vec<String> =
        levels.iter().enumerate().map(|(depth, level)| level.show(depth == 0, root, term)).collect();
    join(steps)
}

/// Reads one token and records what it opens.
fn step(reader: &mut Reader<'_>, levels: &mut Vec<Level>) -> Option<()> {
    begin_next(levels, reader);
    let before = reader.at();
    let (kind, total) = match token::next(reader).ok()? {
        Token::List(count) => (Kind::Sequence, u64::from(count) + 1),
        Token::Tuple(arity) => (Kind::Sequence, u64::from(arity)),
        Token::Map(pairs) => (Kind::Map, 2 * u64::from(pairs)),
        Token::Fun(_) => {
            reader.go_to(before);
            return skip(reader).ok();
        }
        _ => return Some(()),
    };
    levels.push(Level { kind, total, begun: 0, key_at: 0 });
    Some(())
}

/// Closes what is complete and begins the next term of what is not.
fn begin_next(levels: &mut Vec<Level>, reader: &Reader<'_>) {
    while levels.last().is_some_and(|level| level.begun == level.total) {
        levels.pop();
    }
    if let Some(level) = levels.last_mut() {
        level.begun += 1;
        if level.begun % 2 == 1 {
            level.key_at = reader.at();
        }
    }
}

impl Level {
    fn show(&self, outermost: bool, root: Root, term: &[u8]) -> String {
        match (self.kind, outermost.then_some(root)) {
            (Kind::Sequence, Some(Root::Arguments)) => format!("argument {}", self.begun),
            (Kind::Sequence, _) => format!("element {}", self.begun),
            (Kind::Map, Some(Root::Keywords)) => format!("keyword {}", self.key(term)),
            (Kind::Map, _) => format!("key {}", self.key(term)),
        }
    }

    fn key(&self, term: &[u8]) -> String {
        let nth = || format!("number {}", self.begun.div_ceil(2));
        match token::next(&mut Reader::starting_at(term, self.key_at)) {
            Ok(Token::Binary(bytes)) => std::str::from_utf8(bytes).map_or_else(|_| nth(), quote),
            Ok(Token::Atom(name)) => format!(":{}", shorten(&name.text())),
            Ok(Token::Integer(Integer::Small(number))) => number.to_string(),
            Ok(Token::Float(number)) => format!("{number:?}"),
            _ => nth(),
        }
    }
}

/// Quotes a text, shortened.
pub(crate) fn quote(text: &str) -> String {
    format!("{:?}", shorten(text))
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(LONGEST_KEY) {
        Some((end, _)) => format!("{}..", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Joins the steps of an address, cutting the middle of a very long one.
pub(crate) fn join(steps: Vec<String>) -> String {
    let hidden = steps.len().saturating_sub(MOST_STEPS);
    let mut address = String::new();
    for (position, step) in steps.iter().enumerate() {
        if hidden > 0 && position == MOST_STEPS / 2 {
            // Writing to a String cannot fail.
            let _ = write!(address, ", .. {hidden} more ..");
        }
        if position < MOST_STEPS / 2 || position >= MOST_STEPS / 2 + hidden {
            address.push_str(if address.is_empty() { "" } else { ", " });
            address.push_str(step);
        }
    }
    address
}
