//! Reads the vectors that tests/vectors/make.escript has written with a real BEAM.

use std::io::Read;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// A term as a BEAM writes it, and as it must come back.
pub struct Vector {
    pub name: &'static str,
    pub packet: Vec<u8>,
    pub echo: Vec<u8>,
}

/// Bytes, and whether `binary_to_term/1` takes them.
pub struct Verdict {
    pub name: &'static str,
    pub packet: Vec<u8>,
    pub ok: bool,
}

pub fn terms() -> Vec<Vector> {
    let vector = |[name, packet, echo]: [&'static str; 3]| Vector { name, packet: bytes(packet), echo: bytes(echo) };
    columns(include_str!("../../vectors/terms.txt")).map(vector).collect()
}

pub fn verdicts() -> Vec<Verdict> {
    let verdict =
        |[name, packet, verdict]: [&'static str; 3]| Verdict { name, packet: bytes(packet), ok: verdict == "ok" };
    columns(include_str!("../../vectors/verdicts.txt")).map(verdict).collect()
}

fn columns(file: &'static str) -> impl Iterator<Item = [&'static str; 3]> {
    file.lines().map(|line| line.split('\t').collect::<Vec<_>>().try_into().expect("three columns"))
}

fn bytes(column: &str) -> Vec<u8> {
    match column.strip_prefix('z') {
        Some(text) => {
            let stream = BASE64_STANDARD.decode(text).expect("base64");
            let mut bytes = Vec::new();
            flate2::read::ZlibDecoder::new(stream.as_slice()).read_to_end(&mut bytes).expect("zlib");
            bytes
        }
        None => hex(column),
    }
}

/// Bytes from hexadecimal digits.
pub fn hex(digits: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal");
    (0..digits.len()).step_by(2).map(byte).collect()
}
