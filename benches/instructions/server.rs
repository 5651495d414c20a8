//! All of `portpool serve` with real workers, used like a BEAM uses it, with many calls at once.

use std::io::{Read, Write};
use std::process::{ChildStdin, ChildStdout, Command, ExitCode, Stdio};

use eetf::{Atom, Binary, FixInteger, Map, Term, Tuple};

use crate::callgrind::Run;

/// The number of workers.
const SIZE: i32 = 2;
/// The number of calls for a profile: everything that happens once is less than a hundredth of that.
const PROFILED: u64 = 10_000;
/// The number of functions shown.
const SHOWN: usize = 50;

/// The instructions of the server, from start to end, for this many calls by this many callers.
pub(crate) fn count(callers: u64, calls: u64) -> u64 {
    run(callers, calls).instructions()
}

/// Prints the functions of the server with the most instructions of their own in a small call with 64 callers.
pub(crate) fn profile() -> ExitCode {
    let run = run(64, PROFILED);
    let output = Command::new("callgrind_annotate").arg(run.profile()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let total = run.instructions();
    println!("{} instructions per call, by function, without its callees:\n", total / PROFILED);
    text.lines()
        .skip_while(|line| !line.contains("PROGRAM TOTALS"))
        .skip(5)
        .take(SHOWN)
        .for_each(|line| println!("{line}"));
    println!("\nFull profile, for callgrind_annotate --inclusive=yes or --tree=both: {}", run.profile().display());
    ExitCode::SUCCESS
}

fn run(callers: u64, calls: u64) -> Run {
    let (run, mut command) = Run::new(&format!("serve-{callers}"), env!("CARGO_BIN_EXE_portpool"));
    let mut server = command.arg("serve").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut owner = Owner { stdin: server.stdin.take().unwrap(), stdout: server.stdout.take().unwrap() };
    owner.write(&hello());
    let ready = owner.read();
    assert!(ready.starts_with(b"\x83h\x03w\x05ready"), "{}", ready.escape_ascii());
    owner.make(callers, calls);
    drop(owner);
    assert!(server.wait().unwrap().success());
    run
}

/// The other end of the port.
struct Owner {
    stdin: ChildStdin,
    stdout: ChildStdout,
}

impl Owner {
    fn make(&mut self, callers: u64, calls: u64) {
        (0..callers.min(calls)).for_each(|number| self.write(&call(number)));
        for number in 0..calls {
            let reply = self.read();
            assert!(reply.ends_with(b"h\x02w\x02oka\x03"), "{}", reply.escape_ascii());
            let next = number + callers;
            if next < calls {
                self.write(&call(next));
            }
        }
    }

    fn write(&mut self, packet: &[u8]) {
        let head = u32::try_from(packet.len()).unwrap().to_be_bytes();
        self.stdin.write_all(&[&head, packet].concat()).unwrap();
    }

    fn read(&mut self) -> Vec<u8> {
        let mut head = [0; 4];
        self.stdout.read_exact(&mut head).unwrap();
        let mut packet = vec![0; u32::from_be_bytes(head).try_into().unwrap()];
        self.stdout.read_exact(&mut packet).unwrap();
        packet
    }
}

fn hello() -> Vec<u8> {
    let python = std::env::var("PORTPOOL_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
    let options = [
        (atom("python"), Term::from(Binary::from(python.into_bytes()))),
        (atom("size"), FixInteger::from(SIZE).into()),
        // Which calls are sent ahead depends on how long the last ones took.
        (atom("prefetch"), atom("off")),
        (atom("wait"), atom("all")),
    ];
    let hello = Tuple::from(vec![atom("hello"), FixInteger::from(1).into(), Map::from(options).into()]);
    let mut packet = Vec::new();
    Term::from(hello).encode(&mut packet).unwrap();
    packet
}

fn atom(name: &str) -> Term {
    Atom::from(name).into()
}

/// `{call, Id, operator, add, [1, 2], #{}}` as a BEAM writes it; callers' ids are large.
fn call(number: u64) -> Vec<u8> {
    let id = (1 << 63 | number).to_le_bytes();
    [b"\x83h\x06w\x04calln\x08\0", &id[..], b"w\x08operatorw\x03addk\0\x02\x01\x02t\0\0\0\0"].concat()
}
