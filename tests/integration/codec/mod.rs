//! The codec from outside: terms in, values in a real Python, terms out. docs/protocol.md 11, docs/types.md.

mod addresses;
mod control;
mod dates;
mod differential;
mod echo;
mod generate;
mod hostile;
mod json;
mod mutation;
mod options;
mod pickles;
mod python;
mod roundtrip;
mod structs;
mod tables;
mod tensors;
mod vectors;
mod verdicts;

pub use hostile::zlib;

use bytes::BytesMut;
use portpool::codec::{CodecError, Options, etf, from_pickle, to_pickle};

/// Far above anything the tests make.
const LIMIT: usize = 1 << 30;

/// The pickle of a call whose only argument is the term of this packet, and which has no keywords.
fn pickle_of(packet: &[u8]) -> Result<Vec<u8>, CodecError> {
    let term = etf::open(packet, LIMIT)?;
    let mut cursor = etf::Cursor::new(&term);
    let span = cursor.term()?;
    cursor.end()?;
    call("f", &list_of(span), None)
}

/// The pickle of a call of a function in the module `m`, with the options that are the default.
fn call(function: &str, args: &[u8], kwargs: Option<&[u8]>) -> Result<Vec<u8>, CodecError> {
    let encoded = to_pickle::call("m", function, args, kwargs, Options::default())?;
    assert!(encoded.buffers.is_empty(), "str is never out of band");
    Ok(encoded.pickle)
}

/// A list of one term.
fn list_of(term: &[u8]) -> Vec<u8> {
    [&[108, 0, 0, 0, 1], term, &[106]].concat()
}

/// What a pickle is as a term, without version byte.
fn term_of(pickle: &[u8]) -> Result<Vec<u8>, CodecError> {
    let mut out = BytesMut::new();
    from_pickle::read(pickle)?.to_etf(&mut out, LIMIT)?;
    Ok(out.to_vec())
}

/// What a packet must hold: the version byte and the term.
fn packet(term: &[u8]) -> Vec<u8> {
    [&[131], term].concat()
}
