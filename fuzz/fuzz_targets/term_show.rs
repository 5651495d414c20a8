//! Any bytes are shown as a term or refused by their byte; what is shown is bounded by what came.

#![no_main]

use libfuzzer_sys::fuzz_target;
use portpool::codec::etf;
use portpool::codec::etf::show::{Style, Syntax, show};

/// The largest term that is inflated.
const LIMIT: usize = 1 << 16;

fuzz_target!(|packet: &[u8]| {
    let shown = [Syntax::Erlang, Syntax::Elixir].map(|syntax| show(packet, Style { syntax, full: false }, LIMIT));
    let Ok(term) = etf::open(packet, LIMIT) else { return assert!(shown.iter().all(Result::is_err)) };
    for shown in shown {
        match shown {
            Ok(text) => assert!(text.len() <= 128 * (term.len() + 1), "{} bytes became {}", term.len(), text.len()),
            Err(defect) => assert!(defect.at <= packet.len().max(term.len()), "{defect}"),
        }
    }
});
