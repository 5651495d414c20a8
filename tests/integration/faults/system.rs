//! A failing operating system: no descriptors, no /proc, no disk, no stderr, a clock that jumps, a busy machine.

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, prlimit};

use super::{has_gcc, may_mount};
use crate::harness::term::{atom, count, elements, get, int, list, name, string, text};
use crate::harness::{Server, Signpost, program, serve, workers};

/// A server that a shell becomes after it has run these commands.
fn by_shell(commands: &str) -> Server {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{commands}; exec \"$0\" serve")]).arg(program());
    Server::by(shell)
}

fn is_ready(server: &mut Server) {
    let ready = server.receive();
    assert_eq!(name(&ready), "ready", "{ready}");
}

fn limit_descriptors(server: &Server, current: u64) {
    let pid = Pid::from_raw(i32::try_from(server.pid()).unwrap());
    let maximum = getrlimit(Resource::Nofile).maximum;
    prlimit(pid, Resource::Nofile, Rlimit { current: Some(current), maximum }).unwrap();
}

#[test]
fn row_41_without_descriptors_the_workers_that_there_are_serve_and_the_others_come_later() {
    let mut server = Server::start([("size", int(1))]);
    let open = fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count() as u64;
    limit_descriptors(&server, open + 1);
    let resize = server.request("resize", [int(3)]);
    assert_eq!(server.reply().0, resize);
    let status = server.wait_for_status("a start fails", |status| get(status, "last_start_error") != atom("nil"));
    let why = string(&get(&get(&status, "last_start_error"), "message"));
    assert!(why.contains("Too many open files"), "{why}");
    for n in 0..100 {
        assert_eq!(server.call(("operator", "pos"), [int(n)]), Ok(int(n)));
    }
    limit_descriptors(&server, 1024);
    server.wait_for_status("the others are there", |status| count(status, "idle") == 3);
    server.close_stdin();
    let (_, log) = server.wait();
    let warnings = log.lines().filter(|line| line.contains("Too many open files")).count();
    assert!((1..=3).contains(&warnings), "{warnings} warnings: {log}");
}

#[test]
fn row_41_while_no_process_can_be_started_the_workers_that_there_are_serve_and_the_others_come_later() {
    if !has_gcc() {
        return;
    }
    let shim = shim("no_process_can_be_started.c");
    for preload in [list([]), list([text("echo")])] {
        let full = Signpost::new();
        let mut command = serve();
        command.env("LD_PRELOAD", shim.path()).env("NO_PROCESSES", full.path());
        let mut server = Server::by(command);
        server.hello([("size", int(2)), ("wait", atom("all")), ("preload", preload)]);
        is_ready(&mut server);
        full.put_up();
        assert_eq!(server.call(("dies", "by_exit"), [int(3)]).unwrap_err().reason(), "worker_exit");
        let status = server.wait_for_status("a start fails", |status| get(status, "last_start_error") != atom("nil"));
        let why = string(&get(&get(&status, "last_start_error"), "message"));
        assert!(why.contains("Resource temporarily unavailable"), "{why}");
        for n in 0..100 {
            assert_eq!(server.call(("operator", "pos"), [int(n)]), Ok(int(n)));
        }
        full.take_down();
        server.wait_for_status("both are there", |status| count(status, "idle") == 2);
        server.close_stdin();
        let (_, log) = server.wait();
        let warnings = log.lines().filter(|line| line.contains("Resource temporarily unavailable")).count();
        assert!((1..=4).contains(&warnings), "{warnings} warnings: {log}");
    }
}

#[test]
fn row_41_without_proc_tmp_and_a_disk_to_write_to_calls_are_served() {
    let in_a_namespace = |commands: &str| {
        let mut unshare = Command::new("unshare");
        unshare.args(["-m", "sh", "-c", commands]).arg(program());
        unshare
    };
    // Nothing can be written but devices, and nobody can ask for processes.
    let blind = "for at in / /tmp; do mount --bind $at $at && mount -o remount,ro,bind $at || exit 1; done; \
                 mount -t tmpfs -o ro none /proc || exit 1";
    if !may_mount() {
        return;
    }
    let mut server = Server::by(in_a_namespace(&format!("{blind}; exec \"$0\" serve")));
    server.hello([("size", int(2))]);
    is_ready(&mut server);
    for n in 0..100 {
        assert_eq!(server.call(("operator", "pos"), [int(n)]), Ok(int(n)));
    }
    let error = server.call_with(("echo", "forever"), [], &[("timeout", int(100))]).unwrap_err();
    assert_eq!(error.reason(), "timeout");
    assert_eq!(server.call(("operator", "pos"), [int(1)]), Ok(int(1)));
}

#[test]
fn row_42_with_stderr_closed_or_its_disk_full_calls_are_served() {
    for commands in ["exec 2>&-", "exec 2>/dev/full"] {
        let mut server = by_shell(commands);
        server.hello([("size", int(1))]);
        is_ready(&mut server);
        assert_eq!(string(&server.call(("prints", "everywhere"), []).unwrap()), "fine", "{commands}");
        assert_eq!(server.call(("dies", "by_exit"), [int(3)]).unwrap_err().reason(), "worker_exit", "{commands}");
        assert_eq!(server.call(("operator", "pos"), [int(1)]), Ok(int(1)), "{commands}");
    }
}

/// Compiles a file of tests/workers into a library that LD_PRELOAD takes.
fn shim(source: &str) -> Signpost {
    let library = Signpost::new();
    let source = workers().join(source);
    let done = Command::new("gcc").args(["-shared", "-fPIC", "-o"]).arg(library.path()).arg(source).status();
    assert!(done.unwrap().success());
    library
}

#[test]
fn row_43_when_the_wall_clock_jumps_an_hour_nothing_happens() {
    if !has_gcc() {
        return;
    }
    let shim = shim("wall_clock_jumps.c");
    let mut command = serve();
    command.env("LD_PRELOAD", shim.path());
    let mut server = Server::by(command);
    let limits = [("timeout", int(60_000)), ("idle_check", int(100)), ("max_age", int(60_000))];
    server.hello([("size", int(2)), ("wait", atom("all"))].into_iter().chain(limits));
    is_ready(&mut server);
    let [one, other] = [(); 2].map(|()| server.call(("time", "time"), []).unwrap());
    let [one, other] = [one, other].map(|time| match time {
        eetf::Term::Float(float) => float.value,
        other => panic!("no time: {other}"),
    });
    assert!((one - other).abs() > 3000.0, "the clock does not jump: {one}, {other}");
    for n in 0..300 {
        assert_eq!(server.call(("operator", "pos"), [int(n)]), Ok(int(n)));
    }
    let error = server.call_with(("echo", "forever"), [], &[("timeout", int(200))]).unwrap_err();
    assert_eq!(error.reason(), "timeout");
    let status = server.wait_for_status("both are there", |status| count(status, "idle") == 2);
    assert_eq!(count(&status, "restarts"), 1, "{status}");
}

#[test]
fn row_44_a_server_that_was_stopped_lets_expire_only_what_has_expired() {
    let mut server = Server::start([("size", int(3)), ("wait", atom("all")), ("idle_check", int(200))]);
    let flag = Signpost::new();
    let late = server.cast(("echo", "forever"), [], &[("timeout", int(25_000))]);
    let early = server.cast(("echo", "wait_for"), [flag.text()], &[("timeout", int(60_000))]);
    server.wait_for_status("both run", |status| count(status, "busy") == 2);
    server.signal(Signal::STOP);
    let end = Instant::now() + Duration::from_secs(30);
    while Instant::now() < end {
        thread::park_timeout(end - Instant::now());
    }
    server.signal(Signal::CONT);
    let (to, result) = server.reply();
    assert_eq!((to, result.unwrap_err().reason()), (late, "timeout".into()));
    flag.put_up();
    let (to, result) = server.reply();
    assert_eq!((to, string(&result.unwrap())), (early, "seen".into()));
    let status = server.wait_for_status("all are there", |status| count(status, "idle") == 3);
    assert_eq!(count(&status, "restarts"), 1, "an idle worker was killed: {status}");
}

#[test]
fn row_45_a_load_of_twenty_kills_no_worker() {
    let over = Arc::new(AtomicBool::new(false));
    let burners: Vec<_> = (0..20)
        .map(|_| {
            let over = Arc::clone(&over);
            thread::spawn(move || while !over.load(Ordering::Relaxed) {})
        })
        .collect();
    let mut server = Server::start([
        ("size", int(2)),
        ("wait", atom("all")),
        ("idle_check", int(50)),
        ("preload", list([text("json")])),
    ]);
    for _ in 0..20 {
        server.call(("echo", "pid"), []).unwrap();
        thread::park_timeout(Duration::from_millis(100));
    }
    let status = server.status();
    over.store(true, Ordering::Relaxed);
    burners.into_iter().for_each(|burner| burner.join().unwrap());
    assert_eq!((count(&status, "restarts"), get(&status, "last_start_error")), (0, atom("nil")), "{status}");
}

#[test]
fn row_46_workers_inherit_no_descriptors_and_no_ignored_signals() {
    for preload in [vec![], vec![text("json")]] {
        let mut server = by_shell("trap '' HUP INT PIPE FPE USR1 ALRM; exec 7</dev/null 8>/dev/null");
        server.hello([("size", int(1)), ("preload", list(preload))]);
        is_ready(&mut server);
        assert_eq!(server.call(("leaves_behind", "ignored_signals"), []).unwrap(), list([]));
        assert_eq!(string(&server.call(("leaves_behind", "yes_head"), []).unwrap()), "y\n");
        let descriptors = elements(&server.call(("os", "listdir"), [text("/proc/self/fd")]).unwrap());
        assert_eq!(descriptors.len(), 7, "{descriptors:?}");
    }
}
