//! Terms to pickles and pickles to terms: pure functions, no I/O, no intermediate tree of values.
//!
//! `etf` reads Erlang's external term format: whole packets ([`etf::open`]), control-plane terms by hand
//! ([`etf::Cursor`]), and single tokens for the rest of the codec. [`to_pickle`] turns the arguments of a call into one
//! pickle, through [`PickleWriter`]. `keys` checks map keys, `memo` and `records` track what Python has already seen,
//! and `structs` recognises structs with a Python type, among them `calendar` and `tensor`, whose fields `fields` reads. `floats` and `text` copy
//! what is the same on both sides. [`from_pickle`] runs the allow-list machine over a worker's pickle and returns a
//! [`Document`], which can be written as a term or as JSON. [`json`] reads arguments from the command line. [`control`]
//! is the bridge to the `eetf` crate for small terms. Every refusal is a [`CodecError`]: what, where, and of which
//! kind.

mod address;
mod calendar;
mod callee;
pub mod control;
mod distinct;
pub mod document;
mod equality;
mod error;
pub mod etf;
mod fields;
mod floats;
pub mod from_pickle;
mod global;
mod integer;
pub mod json;
mod keys;
mod memo;
mod opcode;
mod options;
pub mod pickle_writer;
mod reader;
mod records;
mod structs;
mod tensor;
mod text;
pub mod to_pickle;

pub use document::Document;
pub use error::{CodecError, CodecErrorKind};
pub use from_pickle::{read, read_with};
pub use json::{Argument, call_from_json};
pub use options::{Binaries, NoneIs, Options};
pub use pickle_writer::PickleWriter;
pub use to_pickle::{Encoded, call};
