//! Terms as people read them: Erlang or Elixir syntax, or the byte at which the bytes are no term.
//!
//! `check` first goes through all of it, so that nothing is shown of what is no term; `layout` breaks the lines,
//! `words` writes what has no parts, `identifier` pids and their like. Nothing recurses, and what is written is bounded
//! by the size of the term: indentation ends at [`MAX_INDENT`] columns, long binaries are shown by their beginning.

mod check;
mod identifier;
mod layout;
mod words;

use std::fmt;

use super::{open, tag};
use crate::codec::error::{Fault, What};

/// The longest line, where there is a place to break it.
const WIDTH: usize = 100;
/// Where indentation ends, however deep a term is.
const MAX_INDENT: usize = 40;

/// Whose syntax.
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
    /// Whose syntax.
    pub syntax: Syntax,
    /// Shows long binaries, strings and integers in full, not by their beginning and their size.
    pub full: bool,
}

/// Why bytes are no term.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defect {
    /// The offset of the byte at fault.
    pub at: usize,
    /// Whether the offset counts in the inflated term and not in the bytes as they came.
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

/// Shows one term, which begins with the version byte 131; lines are parted by `\n`, the last has none.
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
