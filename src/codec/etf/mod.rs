//! Erlang's external term format, with the same verdicts as `binary_to_term/1` (docs/protocol.md 1.2, 11.3).
//!
//! `open` strips the version byte and the compression from a packet. `token` reads one token, with `atom`, `float` and
//! `identifier` for the forms with several encodings. `skip` steps over a whole term, `cursor` reads control-plane
//! terms, and `show` prints any term for people.

pub(crate) mod atom;
mod cursor;
mod float;
mod identifier;
mod open;
pub mod show;
mod skip;
pub(crate) mod tag;
pub(crate) mod token;

pub use cursor::Cursor;
pub use open::{open, open_head, opened_size};
pub(crate) use skip::skip;
pub(crate) use token::Token;
