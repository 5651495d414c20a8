//! Turns arguments from the command line, JSON or plain strings, into the pickle of a call (docs/types.md 3).
//!
//! `argument` decides what is JSON. `scan` splits it into tokens, with `number` and `string` for two kinds of them, and
//! `write` turns tokens into a pickle; `bytes` is how JSON spells bytes. Every refusal is a [`Defect`]: what is wrong, and
//! at which byte.

mod argument;
mod bytes;
mod defect;
mod number;
mod scan;
mod string;
mod write;

use super::pickle_writer::PickleWriter;

pub use argument::Argument;
pub(super) use bytes::BYTES;
pub use defect::Defect;
pub(super) use number::number;

/// An argument that cannot be read, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// A positional argument, by its index.
    Argument(usize, Defect),
    /// The keyword arguments.
    Kwargs(Defect),
}

/// Writes the pickle of `(module, function, (args..), {kwargs})`. `kwargs` is the text of a JSON object.
///
/// Integers keep all their digits; `{"$bytes": "AAE="}` becomes bytes. Nesting has no limit.
///
/// # Errors
/// The first argument that cannot be read.
pub fn call_from_json(module: &str, function: &str, args: &[Argument<'_>], kwargs: &str) -> Result<Vec<u8>, Refusal> {
    let mut out = PickleWriter::new();
    out.tuple_start();
    out.str(module);
    out.str(function);
    out.tuple_start();
    for (position, argument) in args.iter().enumerate() {
        match argument {
            Argument::Text(text) => out.str(text),
            Argument::Json(text) => {
                write::value(text, &mut out).map_err(|defect| Refusal::Argument(position, defect))?;
            }
        }
    }
    out.tuple_end();
    write::kwargs(kwargs, &mut out).map_err(Refusal::Kwargs)?;
    out.tuple_end();
    Ok(out.finish())
}
