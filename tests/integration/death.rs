//! Whatever dies, nothing is left. docs/protocol.md 1.4 and 12.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::harness::processes::{assert_dies, is_alive};
use crate::harness::term::{atom, count, int, text};
use crate::harness::{SOON, Server, unique};

/// The states of a worker; `with_a_daemon` has a child that no process group reaches.
const STATES: [&str; 8] = [
    "sleeping",
    "busy",
    "ignoring_signals",
    "in_c_holding_the_gil",
    "waiting_for_a_child",
    "with_a_thread",
    "with_a_daemon",
    "stopped",
];

/// A server whose worker is in this state, and the pids that it has said.
fn server_in(state: &str) -> (Server, Vec<u32>) {
    // What runs is not waited for when a signal asks for the end.
    let mut server = Server::start([("size", int(1)), ("drain_timeout", int(0)), ("signals", atom("drain"))]);
    let path = std::env::temp_dir().join(format!("portpool-test-{}-{}", std::process::id(), unique()));
    server.cast(("hangs", state), [text(path.to_str().unwrap())], &[]);
    let pids = read_pids(&path);
    (server, pids)
}

fn read_pids(path: &PathBuf) -> Vec<u32> {
    let end = Instant::now() + SOON;
    loop {
        if let Ok(text) = fs::read_to_string(path) {
            fs::remove_file(path).unwrap();
            return text.split(' ').map(|pid| pid.parse().unwrap()).collect();
        }
        assert!(Instant::now() < end, "the worker did not say its pid");
    }
}

fn assert_gone_within_a_second(server: &mut Server, pids: &[u32], state: &str, end: &str) {
    let start = Instant::now();
    server.wait();
    pids.iter().for_each(|pid| assert_dies(*pid));
    let took = start.elapsed();
    println!("{state:22} {end:14} {:4} ms", took.as_millis());
    assert!(took < Duration::from_secs(1), "{state}, {end}: {took:?}");
    server.mark().assert_gone();
}

#[test]
fn nothing_is_left_when_stdin_closes() {
    for state in STATES {
        let (mut server, pids) = server_in(state);
        assert!(pids.iter().all(|pid| is_alive(*pid)), "{state}");
        server.close_stdin();
        assert_gone_within_a_second(&mut server, &pids, state, "stdin closed");
    }
}

#[test]
fn with_signals_drain_nothing_is_left_after_sigterm_and_calls_in_flight_get_shutdown() {
    for state in STATES.into_iter().filter(|state| *state != "with_a_thread") {
        let (mut server, pids) = server_in(state);
        server.signal(Signal::TERM);
        let error = server.reply().1.unwrap_err();
        assert_eq!((error.reason(), error.blame()), ("shutdown".into(), "server".into()));
        server.assert_nothing_more();
        assert_gone_within_a_second(&mut server, &pids, state, "SIGTERM");
    }
}

#[test]
fn workers_die_with_a_server_that_gets_sigkill() {
    // The kernel kills the workers; what they have started themselves outlives that, short of a cgroup.
    for state in STATES.into_iter().filter(|state| !matches!(*state, "with_a_daemon" | "waiting_for_a_child")) {
        let (mut server, pids) = server_in(state);
        server.signal(Signal::KILL);
        assert_gone_within_a_second(&mut server, &pids, state, "SIGKILL");
    }
}

#[test]
fn what_a_worker_leaves_behind_goes_with_it_and_a_helper_of_another_worker_stays() {
    let mut server = Server::start([("size", int(2)), ("wait", atom("all"))]);
    let paths: Vec<PathBuf> = (0..2)
        .map(|_| std::env::temp_dir().join(format!("portpool-test-{}-{}", std::process::id(), unique())))
        .collect();
    let limits = [vec![], vec![("timeout", int(1500))]];
    for (path, opts) in paths.iter().zip(&limits) {
        server.cast(("hangs", "with_a_daemon"), [text(path.to_str().unwrap())], opts);
    }
    let (stays, goes) = (read_pids(&paths[0]), read_pids(&paths[1]));
    assert_eq!(server.reply().1.unwrap_err().reason(), "timeout");
    goes.iter().for_each(|pid| assert_dies(*pid));
    server.wait_for_status("replaced", |status| count(status, "idle") == 1);
    assert!(stays.iter().all(|pid| is_alive(*pid)), "a daemonised helper of a living worker is not touched");
}

#[test]
fn a_worker_lives_through_a_quiet_time_and_the_end_of_helper_threads() {
    // A parent-death signal comes when the thread that started the worker ends. Threads that the runtime starts for other work end
    // after ten idle seconds; workers are not started by them.
    let mut server = Server::start([("size", int(1))]);
    let before = server.call(("echo", "pid"), []).unwrap();
    let end = Instant::now() + Duration::from_secs(12);
    while Instant::now() < end {
        std::thread::park_timeout(end - Instant::now());
    }
    assert_eq!(server.call(("echo", "pid"), []).unwrap(), before);
}

#[test]
fn a_server_that_was_told_nothing_ends_with_its_owner() {
    let mut server = Server::silent();
    server.close_stdin();
    assert_eq!(server.wait().0.code(), Some(0));
    let mut server = Server::silent();
    server.send_bytes(&[0, 0]);
    server.close_stdin();
    assert_eq!(server.wait().0.code(), Some(0));
}
