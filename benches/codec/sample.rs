//! A payload in both forms: as the term for Python, and as the pickle that a real Python sends back.

use std::hint::black_box;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use bytes::BytesMut;
use portpool::codec::{Options, from_pickle, to_pickle};

use crate::payloads::Payload;

/// Larger than any of the terms.
const LIMIT: usize = 1 << 30;

/// A worker without its channel: reads the pickle of a call and its buffers, each after its length, and writes the
/// pickle of the only argument. On stderr it reports the microseconds of its fastest `loads` and `dumps`, measured for
/// the given seconds each.
const WORKER: &str = "
import sys, time
sys.path.insert(0, sys.argv[1])
from portpool import _codec

def fastest(run):
    best, end = float('inf'), time.perf_counter() + float(sys.argv[2])
    while True:
        start = time.perf_counter()
        run()
        done = time.perf_counter()
        best = min(best, done - start)
        if done > end:
            return best * 1e6

parts = []
while head := sys.stdin.buffer.read(8):
    parts.append(sys.stdin.buffer.read(int.from_bytes(head, 'little')))
load = lambda: _codec.loads(parts[0], buffers=parts[1:])
value = load()[2][0]
print(fastest(load), fastest(lambda: _codec.dumps(value)), file=sys.stderr)
sys.stdout.buffer.write(b''.join(map(bytes, _codec.dumps(value))))
";

/// A value in both forms.
pub(crate) struct Sample {
    /// The list of arguments, without version byte.
    pub(crate) args: Vec<u8>,
    /// What a worker sends when it returns the only argument.
    pickle: Vec<u8>,
    options: Options,
    /// How long Python took to load the call and to dump the result, in microseconds.
    pub(crate) python: [f64; 2],
}

impl Sample {
    /// Lets Python measure itself for this long.
    pub(crate) fn new(term: &[u8], options: Options, measured: Duration) -> Self {
        let args = [&[108, 0, 0, 0, 1], term, &[106]].concat();
        let (pickle, python) = worker(&args, options, measured);
        Self { args, pickle, options, python }
    }

    pub(crate) fn of(payload: &Payload, measured: Duration) -> Self {
        Self::new(&(payload.term)(), payload.options, measured)
    }

    pub(crate) fn there(&self) -> usize {
        to_pickle::call("operator", "add", black_box(&self.args), None, self.options).unwrap().pickle.len()
    }

    pub(crate) fn back(&self) -> usize {
        let mut out = BytesMut::new();
        from_pickle::read(black_box(&self.pickle)).unwrap().to_etf(&mut out, LIMIT).unwrap();
        out.len()
    }
}

fn worker(args: &[u8], options: Options, measured: Duration) -> (Vec<u8>, [f64; 2]) {
    let python = std::env::var("PORTPOOL_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let package = concat!(env!("CARGO_MANIFEST_DIR"), "/priv/python");
    let call = to_pickle::call("m", "f", args, None, options).unwrap();
    let mut child = Command::new(python)
        .args(["-I", "-c", WORKER, package, &measured.as_secs_f64().to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for part in std::iter::once(call.pickle.as_slice()).chain(call.buffers) {
        stdin.write_all(&(part.len() as u64).to_le_bytes()).unwrap();
        stdin.write_all(part).unwrap();
    }
    drop(stdin);
    let (mut pickle, mut told) = (Vec::new(), String::new());
    child.stdout.take().unwrap().read_to_end(&mut pickle).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert!(child.wait().unwrap().success(), "{told}");
    let times: Vec<f64> = told.split_whitespace().map(|time| time.parse().unwrap()).collect();
    (pickle, times.try_into().unwrap())
}
