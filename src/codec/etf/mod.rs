//! Erlang's external term format, read with the verdicts of `binary_to_term/1` (docs/protocol.md 1.2, 11.3).
//!
//! `open` takes the version byte and the compression off a packet; `token` reads one token, with `atom`, `float` and
//! `identifier` for the forms that have a history; `skip` steps over a whole term; `cursor` reads control-plane terms;
//! `show` writes any term as people read it.

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
pub use open::open;
pub(crate) use skip::skip;
pub(crate) use token::Token;
