//! Any pickle from a worker becomes exactly one term, of the size that was promised, or is refused.

#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use portpool::codec::{etf, from_pickle};

/// The largest term that is written.
const LIMIT: usize = 1 << 20;

fuzz_target!(|pickle: &[u8]| {
    let Ok(document) = from_pickle::read(pickle) else { return };
    let _ = document.to_json();
    let mut out = BytesMut::new();
    if document.to_etf(&mut out, LIMIT).is_err() {
        assert!(out.is_empty(), "a refusal leaves bytes behind");
        return;
    }
    assert_eq!(out.len() as u64, document.term_size(), "the size was not the promised one");
    let mut cursor = etf::Cursor::new(&out);
    assert!(cursor.term().is_ok() && cursor.end().is_ok(), "we wrote something that is not a term");
});
