//! Any packet from the BEAM becomes a pickle that our own machine reads, or is refused.

#![no_main]

use libfuzzer_sys::fuzz_target;
use portpool::codec::{Binaries, NoneIs, Options, etf, from_pickle, to_pickle};

/// The largest term that is inflated.
const LIMIT: usize = 1 << 20;

fuzz_target!(|packet: &[u8]| {
    let Ok(term) = etf::open(packet, LIMIT) else { return };
    let _ = to_pickle::call("m", "f", &[106], Some(&term), Options::default());
    let args = [&[108, 0, 0, 0, 1], &*term, &[106]].concat();
    for options in [Options::default(), Options { binaries: Binaries::Bytes, none: NoneIs::Undefined }] {
        let Ok(call) = to_pickle::call("m", "f", &args, None, options) else { continue };
        let size = call.pickle.len();
        assert!(size <= 64 * (args.len() + 16), "{} bytes became {size}", args.len());
        // What travels beside the pickle is for Python alone.
        assert!(!call.buffers.is_empty() || from_pickle::read(&call.pickle).is_ok(), "we do not read what we wrote");
    }
});
