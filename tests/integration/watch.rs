//! The watch kills a server that cannot end by itself. docs/protocol.md 13.

use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// A process that stands for a server, and its watch.
struct Watched {
    server: Child,
    watch: Child,
}

impl Watched {
    /// The server ends with its stdin, as a real one does.
    fn start() -> Self {
        let server = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let watch = Command::new(env!("CARGO_BIN_EXE_portpool"))
            .args(["watch", &server.id().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self { server, watch }
    }

    fn stop(&self) {
        kill_process(Pid::from_child(&self.server), Signal::STOP).unwrap();
    }

    /// The signal by which the server ended, or none, and how long both took.
    fn end(mut self) -> (Option<i32>, Duration) {
        let start = Instant::now();
        let signal = self.server.wait().unwrap().signal();
        assert!(self.watch.wait().unwrap().success());
        let mut said = String::new();
        self.watch.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(said, "");
        (signal, start.elapsed())
    }
}

const KILLED: Option<i32> = Some(Signal::KILL.as_raw());

#[test]
fn a_byte_ends_a_stopped_server_at_once() {
    let mut watched = Watched::start();
    watched.stop();
    watched.watch.stdin.as_mut().unwrap().write_all(b"k").unwrap();
    let (signal, took) = watched.end();
    assert_eq!(signal, KILLED);
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[test]
fn a_stopped_server_that_was_let_go_of_ends_after_three_seconds() {
    let mut watched = Watched::start();
    watched.stop();
    drop(watched.server.stdin.take());
    drop(watched.watch.stdin.take());
    let (signal, took) = watched.end();
    assert_eq!(signal, KILLED);
    assert!(took >= Duration::from_secs(2), "{took:?}");
}

#[test]
fn a_server_that_ends_by_itself_is_left_alone_and_its_watch_ends_with_it() {
    let mut watched = Watched::start();
    drop(watched.server.stdin.take());
    drop(watched.watch.stdin.take());
    assert_eq!(watched.end().0, None);
    let mut watched = Watched::start();
    drop(watched.server.stdin.take());
    assert_eq!(watched.end().0, None);
}

#[test]
fn what_the_workers_of_a_dead_server_have_started_is_killed_and_that_of_others_is_not() {
    let watched = Watched::start();
    let started_by = |server: u32| {
        let mut command = Command::new("sleep");
        command.arg("3600").env("PORTPOOL_WORKER", format!("{server}.{:020}", 1)).process_group(0).spawn().unwrap()
    };
    let mut left = started_by(watched.server.id());
    let mut others = started_by(std::process::id());
    kill_process(Pid::from_child(&watched.server), Signal::KILL).unwrap();
    assert_eq!(watched.end().0, KILLED);
    assert_eq!(left.wait().unwrap().signal(), KILLED);
    assert_eq!(others.try_wait().unwrap(), None);
    others.kill().unwrap();
    others.wait().unwrap();
}

#[test]
fn there_is_nothing_to_watch_once_the_server_has_ended() {
    let mut ended = Command::new("true").spawn().unwrap();
    ended.wait().unwrap();
    let watch = |pid: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portpool"));
        command.args(["watch", pid]).stdin(Stdio::null()).output().unwrap().status.code()
    };
    assert_eq!(watch(&ended.id().to_string()), Some(0));
    assert_eq!(watch("0"), Some(1));
}
