//! The payloads: hand-made terms in the forms that a BEAM writes.

use portpool::codec::{Binaries, NoneIs, Options};

/// A payload by name, made on demand.
pub(crate) struct Payload {
    pub(crate) name: &'static str,
    pub(crate) term: fn() -> Vec<u8>,
    pub(crate) options: Options,
}

pub(crate) const STR: Options = Options { binaries: Binaries::Str, none: NoneIs::Nil };
const BYTES: Options = Options { binaries: Binaries::Bytes, none: NoneIs::Nil };

pub(crate) const PAYLOADS: [Payload; 8] = [
    Payload { name: "small call", term: || vec![104, 2, 97, 1, 97, 2], options: STR },
    Payload { name: "1000 maps of 5 keys", term: || maps(1000), options: STR },
    Payload { name: "100k floats", term: || floats(100_000), options: STR },
    Payload { name: "200-stop job", term: || job(200), options: STR },
    Payload { name: "10 MB binary as bytes", term: || text(10_000_000), options: BYTES },
    Payload { name: "10 MB binary as str", term: || text(10_000_000), options: STR },
    Payload { name: "64 MB binary as bytes", term: || text(64_000_000), options: BYTES },
    Payload { name: "64 MB binary as str", term: || text(64_000_000), options: STR },
];

/// Makes a payload of this many elements.
pub(crate) type Make = fn(usize) -> Vec<u8>;

/// The payloads to double: a name, the bytes of one element, and how to make it.
pub(crate) const KINDS: [(&str, usize, Make); 4] =
    [("maps of 5 keys", 89, maps), ("floats", 9, floats), ("stops of a job", 174, job), ("text", 1, text)];

fn list(count: usize, element: impl FnMut(usize) -> Vec<u8>) -> Vec<u8> {
    let head = (count as u32).to_be_bytes();
    [&[108][..], &head, &(0..count).flat_map(element).collect::<Vec<_>>(), &[106]].concat()
}

fn binary(text: &str) -> Vec<u8> {
    [&[109][..], &(text.len() as u32).to_be_bytes(), text.as_bytes()].concat()
}

fn float(number: f64) -> Vec<u8> {
    [&[70][..], &number.to_be_bytes()].concat()
}

fn integer(number: i32) -> Vec<u8> {
    [&[98][..], &number.to_be_bytes()].concat()
}

fn map(pairs: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let parts: Vec<u8> = pairs.iter().flat_map(|(key, value)| [binary(key).as_slice(), value].concat()).collect();
    [&[116][..], &(pairs.len() as u32).to_be_bytes(), &parts].concat()
}

/// Maps of 5 keys, about 100 bytes each.
pub(crate) fn maps(count: usize) -> Vec<u8> {
    list(count, |number| {
        map(&[
            ("id", integer(number as i32 + 1000)),
            ("lat", float(52.5 + number as f64 * 1e-5)),
            ("lon", float(13.4 - number as f64 * 1e-5)),
            ("name", binary(&format!("stop {number:06}"))),
            ("ok", b"\x77\x04true".to_vec()),
        ])
    })
}

pub(crate) fn floats(count: usize) -> Vec<u8> {
    list(count, |number| float(number as f64 * 1.1 + 0.25))
}

/// What the demo sends: deliveries with a place, a time window and a size.
pub(crate) fn job(stops: usize) -> Vec<u8> {
    let stop = |number: usize| {
        map(&[
            ("address", binary(&format!("{number} Long Street, Some Town"))),
            ("demand", list(2, |of| integer((number + of) as i32))),
            ("id", binary(&format!("d-{number:05}"))),
            ("location", [&[104, 2][..], &float(52.5 + number as f64 * 1e-4), &float(13.4)].concat()),
            ("service_seconds", integer(120)),
            ("window", [&[104, 2][..], &integer(28_800), &integer(36_000)].concat()),
        ])
    };
    map(&[("depot", float(1.5)), ("stops", list(stops, stop)), ("vehicles", integer(12))])
}

pub(crate) fn text(bytes: usize) -> Vec<u8> {
    binary(&"0123456789abcdef".repeat(bytes / 16))
}
