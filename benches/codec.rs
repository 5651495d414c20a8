//! How long the codec takes, each way: `cargo bench --bench codec`, with the time that doubling a payload takes.
//!
//! Terms are made here by hand in the forms that a BEAM writes; what a real Python makes of them, with the project's own
//! `_codec.py`, is what the way back starts from. `cargo bench --bench codec -- tables` prints the
//! two tables alone: the fastest of many runs, which a busy machine disturbs least, and what each doubling costs.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a bench stops at the first surprise")]

use std::cell::LazyCell;
use std::hint::black_box;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use criterion::Criterion;
use portpool::codec::{Binaries, NoneIs, Options, from_pickle, to_pickle};

/// More than any of the terms.
const LIMIT: usize = 1 << 30;

/// What a worker does, without its channel: reads the pickle of a call and the buffers beside it, each behind its length,
/// and writes the pickle of the only argument.
const ECHO: &str = "
import sys
sys.path.insert(0, sys.argv[1])
from portpool import _codec
parts = []
while head := sys.stdin.buffer.read(8):
    parts.append(sys.stdin.buffer.read(int.from_bytes(head, 'little')))
value = _codec.loads(parts[0], buffers=parts[1:])[2][0]
sys.stdout.buffer.write(b''.join(map(bytes, _codec.dumps(value))))
";

/// A value in both forms.
struct Sample {
    /// The list of arguments, without version byte.
    args: Vec<u8>,
    /// What a worker sends when it returns the only argument.
    pickle: Vec<u8>,
    options: Options,
}

impl Sample {
    fn new(term: &[u8], options: Options) -> Self {
        let args = [&[108, 0, 0, 0, 1], term, &[106]].concat();
        let pickle = python(&args, options);
        Self { args, pickle, options }
    }

    fn there(&self) -> usize {
        to_pickle::call("operator", "add", black_box(&self.args), None, self.options).unwrap().pickle.len()
    }

    fn back(&self) -> usize {
        let mut out = BytesMut::new();
        from_pickle::read(black_box(&self.pickle)).unwrap().to_etf(&mut out, LIMIT).unwrap();
        out.len()
    }
}

/// The pickle that a real Python makes of the only argument.
fn python(args: &[u8], options: Options) -> Vec<u8> {
    let python = std::env::var("PORTPOOL_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let package = concat!(env!("CARGO_MANIFEST_DIR"), "/priv/python");
    let call = to_pickle::call("m", "f", args, None, options).unwrap();
    let mut child = Command::new(python)
        .args(["-I", "-c", ECHO, package])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    for part in std::iter::once(call.pickle.as_slice()).chain(call.buffers) {
        stdin.write_all(&(part.len() as u64).to_le_bytes()).unwrap();
        stdin.write_all(part).unwrap();
    }
    drop(stdin);
    let mut pickle = Vec::new();
    stdout.read_to_end(&mut pickle).unwrap();
    assert!(child.wait().unwrap().success());
    pickle
}

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
fn maps(count: usize) -> Vec<u8> {
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

fn floats(count: usize) -> Vec<u8> {
    list(count, |number| float(number as f64 * 1.1 + 0.25))
}

/// What the demo sends: deliveries with a place, a time window and a size.
fn job(stops: usize) -> Vec<u8> {
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

fn text(bytes: usize) -> Vec<u8> {
    binary(&"0123456789abcdef".repeat(bytes / 16))
}

/// A payload by name; it is made when it is wanted.
struct Payload {
    name: &'static str,
    term: fn() -> Vec<u8>,
    options: Options,
}

impl Payload {
    fn sample(&self) -> Sample {
        Sample::new(&(self.term)(), self.options)
    }
}

const STR: Options = Options { binaries: Binaries::Str, none: NoneIs::Nil };
const BYTES: Options = Options { binaries: Binaries::Bytes, none: NoneIs::Nil };

const PAYLOADS: [Payload; 8] = [
    Payload { name: "small call", term: || vec![104, 2, 97, 1, 97, 2], options: STR },
    Payload { name: "1000 maps of 5 keys", term: || maps(1000), options: STR },
    Payload { name: "100k floats", term: || floats(100_000), options: STR },
    Payload { name: "200-stop job", term: || job(200), options: STR },
    Payload { name: "10 MB binary as bytes", term: || text(10 << 20), options: BYTES },
    Payload { name: "10 MB binary as str", term: || text(10 << 20), options: STR },
    Payload { name: "64 MB binary as bytes", term: || text(64 << 20), options: BYTES },
    Payload { name: "64 MB binary as str", term: || text(64 << 20), options: STR },
];

fn each_way(criterion: &mut Criterion) {
    for payload in PAYLOADS {
        let sample = LazyCell::new(|| payload.sample());
        let mut group = criterion.benchmark_group(payload.name);
        group.sample_size(if payload.name.contains("MB") { 10 } else { 100 });
        group.bench_function("to pickle", |bencher| bencher.iter(|| sample.there()));
        group.bench_function("from pickle", |bencher| bencher.iter(|| sample.back()));
        group.finish();
    }
}

/// How long the runs of one cell of the table take together.
const CELL: Duration = Duration::from_secs(1);

/// Prints the fastest run of each payload.
fn fastest_runs() {
    println!("| payload | bytes | to pickle, µs | from pickle, µs |\n|---|---|---|---|");
    for payload in PAYLOADS {
        let sample = payload.sample();
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        let (there, back) = (micros(fastest(CELL, || sample.there())), micros(fastest(CELL, || sample.back())));
        println!("| {} | {} | {there:.2} | {back:.2} |", payload.name, sample.args.len());
    }
}

/// The most that twice the size may cost.
const MOST: f64 = 2.2;

/// Makes a payload of so many elements.
type Make = fn(usize) -> Vec<u8>;

/// Doubles payloads up to 64 MB and prints what each doubling costs.
fn doubling() {
    println!("| payload | MB | to pickle, ms | x | from pickle, ms | x |\n|---|---|---|---|---|---|");
    let kinds: [(&str, usize, Make); 4] =
        [("maps of 5 keys", 106, maps), ("floats", 9, floats), ("job", 180, job), ("text", 1, text)];
    for (name, bytes, make) in kinds {
        let mut before: Option<(Duration, Duration)> = None;
        for megabytes in [1, 2, 4, 8, 16, 32, 64] {
            let sample = Sample::new(&make((megabytes << 20) / bytes), STR);
            let took = (fastest(CELL / 2, || sample.there()), fastest(CELL / 2, || sample.back()));
            let ratio = |now: Duration, then: Option<Duration>| match then {
                Some(then) => {
                    let ratio = now.as_secs_f64() / then.as_secs_f64();
                    format!("{ratio:.2}{}", if ratio > MOST { " over" } else { "" })
                }
                None => String::new(),
            };
            let ms = |time: Duration| time.as_secs_f64() * 1000.0;
            let (there, back) = (ratio(took.0, before.map(|it| it.0)), ratio(took.1, before.map(|it| it.1)));
            println!("| {name} | {megabytes} | {:.2} | {there} | {:.2} | {back} |", ms(took.0), ms(took.1));
            before = Some(took);
        }
    }
}

/// The fastest of at least five runs: what disturbs only adds.
fn fastest(together: Duration, run: impl Fn() -> usize) -> Duration {
    let (begun, mut best) = (Instant::now(), Duration::MAX);
    let mut runs = 0;
    while runs < 5 || begun.elapsed() < together {
        let one = Instant::now();
        black_box(run());
        best = best.min(one.elapsed());
        runs += 1;
    }
    best
}

fn main() {
    let is_bench = std::env::args().any(|arg| arg == "--bench");
    if !std::env::args().any(|arg| arg == "tables") {
        let mut criterion = Criterion::default()
            .warm_up_time(Duration::from_millis(500))
            .measurement_time(Duration::from_secs(2))
            .configure_from_args();
        each_way(&mut criterion);
        criterion.final_summary();
    }
    // `cargo test --benches` runs this too, for its form only.
    if is_bench && !std::env::args().any(|arg| arg == "--profile-time") {
        fastest_runs();
        doubling();
    }
}
