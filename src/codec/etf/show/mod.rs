//! Terms for people, in Erlang or Elixir syntax, or the offset of the first invalid byte.
//!
//! `check` goes through all of the term first, so that nothing invalid is shown. `layout` breaks the lines, `words`
//! writes scalars, `identifier` writes pids and the like. Nothing recurses, and the output is bounded by the size of
//! the term: indentation ends at [`MAX_INDENT`] columns, and long binaries are abbreviated.

mod check;
mod identifier;
mod layout;
mod words;

use std::fmt;

use super::{open, tag};
use crate::codec::error::{Fault, What};

/// The maximum line length, where the line can be broken.
const WIDTH: usize = 100;
/// The maximum indentation, however deep a term is.
const MAX_INDENT: usize = 40;

/// The syntax of a language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// `#{name => <<"a">>}`
    Erlang,
    /// `%{name: "a"}`
    Elixir,
}

/// How a term is shown.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// The syntax.
    pub syntax: Syntax,
    /// Shows long binaries, strings and integers in full instead of their beginning and size.
    pub full: bool,
}

/// Why bytes are not a term.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defect {
    /// The offset of the offending byte.
    pub at: usize,
    /// Whether the offset counts in the inflated term instead of the bytes as received.
    pub inflated: bool,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.inflated { " of the inflated term" } else { "" };
        write!(f, "at byte {}{place}: {}", self.at, self.message)
    }
}

/// Shows one term, which begins with the version byte 131. Lines are separated by `\n`; there is none at the end.
///
/// # Errors
/// A [`Defect`] if the bytes are not exactly one term, or if it would inflate to more than `limit` bytes.
pub fn show(packet: &[u8], style: Style, limit: usize) -> Result<String, Defect> {
    let inflated = matches!(packet, [tag::VERSION, tag::COMPRESSED, ..]);
    let term = open(packet, limit).map_err(|error| Defect {
        at: usize::from(inflated),
        inflated: false,
        message: error.message,
    })?;
    let defect = |fault: Fault| Defect {
        at: if inflated { fault.at } else { fault.at + 1 },
        inflated,
        message: message(fault.what),
    };
    let records = check::check(&term).map_err(defect)?;
    layout::print(&term, style, &records).map_err(defect)
}

fn message(what: What) -> String {
    match what {
        What::Trailing => "bytes follow the term".to_owned(),
        other => other.to_string(),
    }
}
