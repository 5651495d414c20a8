//! The paths that need no worker. This same program runs them, started again under callgrind.

use std::hint::black_box;

use bytes::BytesMut;
use portpool::codec::{self, Options};

use crate::callgrind::Run;
use crate::load::Load;

/// `[1, 2]` as a BEAM writes it, without version byte.
const ARGS: [u8; 5] = [107, 0, 2, 1, 2];
/// 3 as a worker pickles it.
const RESULT: [u8; 5] = *b"\x80\x05K\x03.";
/// Larger than any reply.
const LIMIT: usize = 1 << 20;

/// The instructions of this many calls on this path.
pub(crate) fn count(path: &str, calls: u64) -> u64 {
    let (run, mut command) = Run::new(path, std::env::current_exe().unwrap());
    assert!(command.args(["run", path, &calls.to_string()]).status().unwrap().success());
    run.instructions()
}

/// Makes this many calls on this path.
pub(crate) fn run(path: &str, calls: u64) {
    match path {
        "codec" => (0..calls).for_each(|_| there_and_back()),
        "pool_core" => {
            let mut load = Load::new(1000);
            (0..calls).for_each(|_| load.step());
        }
        _ => panic!("there is no path {path}"),
    }
}

fn there_and_back() {
    let there = codec::call("operator", "add", black_box(&ARGS), None, Options::default()).unwrap();
    black_box(there.pickle);
    let mut back = BytesMut::new();
    codec::read(black_box(&RESULT)).unwrap().to_etf(&mut back, LIMIT).unwrap();
    black_box(back);
}
