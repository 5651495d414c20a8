//! Counts the instructions of a call on three hot paths with callgrind, and compares them with the record in
//! instructions.txt next to this file: `cargo bench --bench instructions`. It fails if a count differs by more than 15
//! %.
//!
//! `.. -- renew` writes the record; `.. -- profile` shows which functions of the server take the instructions. Each
//! path runs twice, the second time with twice the calls: the difference excludes what happens only once.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    missing_docs,
    reason = "a bench stops at the first surprise"
)]

mod callgrind;
#[path = "../pool_core/load.rs"]
mod load;
mod paths;
mod record;
mod server;

use std::process::ExitCode;

use record::{Count, Record};

/// The program's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A path: its name in the record, the number of calls, and a function that makes this many calls under callgrind and
/// returns the instructions.
type Path = (&'static str, u64, fn(u64) -> u64);

const PATHS: [Path; 4] = [
    ("codec, a small call there and back", 1000, |calls| paths::count("codec", calls)),
    ("pool core, a call with 1000 waiting", 1000, |calls| paths::count("pool_core", calls)),
    ("portpool serve, a small call of 1 caller", 2000, |calls| server::count(1, calls)),
    ("portpool serve, a small call of 64 callers", 2000, |calls| server::count(64, calls)),
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if let ["run", path, calls] = words[..] {
        paths::run(path, calls.parse().unwrap());
        return ExitCode::SUCCESS;
    }
    if let Err(reason) = callgrind::is_usable() {
        println!("instructions not counted: {reason}");
        println!("instructions: 0 passed, 0 failed, {} skipped", PATHS.len());
        return ExitCode::SUCCESS;
    }
    callgrind::stay_on_one_processor();
    match words[..] {
        [] => check(),
        ["renew"] => renew(),
        ["profile"] => server::profile(),
        _ => panic!("{words:?}: nothing, renew or profile"),
    }
}

fn count() -> Vec<Count> {
    PATHS
        .into_iter()
        .map(|(path, calls, run)| Count {
            path: path.to_owned(),
            instructions: run(2 * calls).saturating_sub(run(calls)) / calls,
        })
        .collect()
}

fn check() -> ExitCode {
    let record = Record::read();
    let verdicts: Vec<_> = count().iter().map(|count| record.judge(count)).collect();
    for verdict in &verdicts {
        println!("{}", verdict.text);
    }
    let failed = verdicts.iter().filter(|verdict| !verdict.holds).count();
    println!("instructions: {} passed, {failed} failed", verdicts.len() - failed);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn renew() -> ExitCode {
    let counts = count();
    for count in &counts {
        println!("{}", Record::read().judge(count).text);
    }
    Record::write(&counts);
    ExitCode::SUCCESS
}
