//! Terms for people, in Erlang or Elixir syntax, or the offset of the first invalid byte.
//!
//! `check` goes through all of the term first, so that nothing invalid is shown. `layout` breaks the lines, `words`
//! writes scalars, `identifier` writes pids and the like. Nothing recurses, and the output is bounded by the size of
//! the term: indentation ends at 40 columns, and long binaries are abbreviated.

mod check;
mod identifier;
mod layout;
mod style;
mod words;

use std::fmt;

use super::{open, tag};
use crate::codec::error::{Fault, What};
pub use style::{Style, Syntax};

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
