//! Signals that the system sends to all processes of a service: as long as the owner lives, it decides. docs/protocol.md 12, docs/faults.md row 37.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use eetf::Term;
use rustix::process::{Pid, Signal, kill_process};

use crate::harness::processes::{Mark, assert_dies, is_alive};
use crate::harness::term::{atom, atom_name, count, elements, get, int, list, map, number, text};
use crate::harness::{Server, Signpost, program, python, workers};

const FOR_THE_OWNER: [Signal; 4] = [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT];

/// Sends all of them to all processes with this mark; how many processes that were.
fn strike(mark: &Mark) -> usize {
    let bearers = mark.bearers();
    for pid in &bearers {
        let pid = Pid::from_raw(i32::try_from(*pid).unwrap()).unwrap();
        for signal in FOR_THE_OWNER {
            // It may have ended meanwhile.
            let _ = kill_process(pid, signal);
        }
    }
    bearers.len()
}

/// Asks the server to drain, as an owner does that stops.
fn drain(server: &mut Server) {
    let drain = server.request("drain", [map([])]);
    let (to, result) = server.reply();
    assert_eq!((to, result.unwrap()), (drain, atom("drained")));
    assert!(server.wait().0.success());
}

fn pids(status: &Term) -> BTreeSet<u64> {
    elements(&get(status, "workers")).iter().map(|worker| number(&get(worker, "pid"))).collect()
}

#[test]
fn while_the_owner_lives_signals_to_everybody_end_no_call_that_runs_waits_or_has_a_lease() {
    let mut server = Server::start([("size", int(3)), ("wait", atom("all"))]);
    let mut watch = Command::new(program());
    watch.args(["watch", &server.pid().to_string()]).stdin(Stdio::piped());
    server.mark().put_on(&mut watch);
    let mut watch = watch.spawn().unwrap();
    await_handlers(watch.id());
    let before = pids(&server.status());

    let flag = Signpost::new();
    let lease = server.request("checkout", [map([])]);
    assert_eq!(server.reply().0, lease);
    let leased = server.cast(("echo", "wait_for"), [flag.text()], &[("lease", int(lease))]);
    let running: Vec<u64> = (0..2).map(|_| server.cast(("echo", "wait_for"), [flag.text()], &[])).collect();
    let waiting = server.cast(("echo", "pid"), [], &[]);
    server.wait_for_status("all run", |status| count(status, "busy") == 3 && count(status, "waiting") == 1);
    for _ in 0..20 {
        assert_eq!(strike(server.mark()), 5, "the server, its watch and three workers");
    }
    flag.put_up();
    let mut answered: Vec<u64> = (0..4)
        .map(|_| server.reply())
        .map(|(to, result)| {
            result.unwrap();
            to
        })
        .collect();
    answered.sort_unstable();
    let mut asked = vec![leased, running[0], running[1], waiting];
    asked.sort_unstable();
    assert_eq!(answered, asked);
    // Idle ones take no notice either, nor is one interrupted later.
    strike(server.mark());
    let status = server.status();
    assert_eq!((pids(&status), count(&status, "restarts")), (before, 0));
    assert_eq!(atom_name(&get(&status, "draining")), "false");
    let checkin = server.request("checkin", [int(lease), map([])]);
    assert_eq!(server.reply().0, checkin);
    drain(&mut server);
    assert!(watch.wait().unwrap().success());
}

#[test]
fn signals_end_no_template_and_no_worker_that_is_being_forked() {
    let mut server = Server::start([("size", int(2)), ("max_calls", int(1)), ("preload", list([text("signalled")]))]);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let mark = server.mark().clone();
        let done = &done;
        scope.spawn(move || {
            while !done.load(Ordering::Relaxed) {
                strike(&mark);
            }
        });
        for _ in 0..60 {
            server.call(("echo", "pid"), []).unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    let status = server.status();
    assert_eq!(get(&status, "last_exit"), atom("nil"), "{status}");
    drain(&mut server);
}

#[test]
fn signals_that_come_while_a_process_starts_do_not_end_it() {
    // A folder whose `sitecustomize` runs before any code of ours, and a script that becomes Python.
    let folder = Signpost::new();
    fs::create_dir(folder.path()).unwrap();
    let raises = "import os\nfor number in (15, 2, 1, 3):\n    os.kill(os.getpid(), number)\n";
    fs::write(folder.path().join("sitecustomize.py"), raises).unwrap();
    let script = folder.path().join("python");
    fs::write(&script, format!("#!/bin/sh\nkill -TERM $$; kill -HUP $$\nexec {} \"$@\"\n", python())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let env = map([("PYTHONPATH", folder.text()), ("RAISES_AT_IMPORT", text("1"))]);
    for preload in [vec![], vec![text("signalled")]] {
        let options = [
            ("python", text(script.to_str().unwrap())),
            ("env", env.clone()),
            ("size", int(2)),
            ("wait", atom("all")),
            ("preload", list(preload)),
        ];
        let mut server = Server::start(options);
        server.call(("signalled", "raises_all"), []).unwrap();
        let status = server.status();
        assert_eq!((count(&status, "idle"), get(&status, "last_exit")), (2, atom("nil")), "{status}");
    }
}

#[test]
fn a_signal_before_hello_does_not_end_the_server() {
    let mut server = Server::silent();
    await_handlers(server.pid());
    strike(server.mark());
    server.hello([("size", int(1))]);
    assert_eq!(crate::harness::term::name(&server.receive()), "ready");
    server.call(("echo", "pid"), []).unwrap();
}

/// Waits until none of the signals ends a program of ours: each is blocked or has a handler. Before it runs it has what it has inherited.
fn await_handlers(pid: u32) {
    while !FOR_THE_OWNER.into_iter().all(|signal| withstands(pid, signal)) {
        thread::yield_now();
    }
}

fn withstands(pid: u32, signal: Signal) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let signals = |field| {
        let signals = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
        u64::from_str_radix(signals, 16).unwrap()
    };
    (signals("SigBlk:\t") | signals("SigCgt:\t")) >> (signal.as_raw() - 1) & 1 == 1
}

#[test]
fn what_workers_start_and_fork_has_signals_as_any_program() {
    for preload in [vec![], vec![text("signalled")]] {
        let mut server = Server::start([("size", int(1)), ("preload", list(preload))]);
        let programs = elements(&server.call(("signalled", "of_programs"), []).unwrap());
        assert_eq!(programs.len(), 7);
        for program in programs {
            assert_eq!(program, list([text("0"), text("0")]), "blocked and ignored");
        }
        let ends = server.call(("signalled", "ended_by_each"), []).unwrap();
        assert_eq!(ends, list([int_of(-15), int(130), int_of(-1), int_of(-3)]));
        assert_eq!(server.call(("signalled", "terminated_at_once"), [int(100)]).unwrap(), list([text("-15")]));
    }
}

fn int_of(value: i32) -> Term {
    eetf::FixInteger::from(value).into()
}

#[test]
fn a_function_that_installs_its_own_handlers_keeps_them() {
    let all = list([int(15), int(2), int(1), int(3)]);
    for preload in [vec![], vec![text("signalled")]] {
        let mut server = Server::start([("size", int(1)), ("preload", list(preload))]);
        assert_eq!(server.call(("signalled", "taken"), []).unwrap(), list([]));
        server.call(("signalled", "take_all"), []).unwrap();
        for _ in 0..2 {
            assert_eq!(server.call(("signalled", "taken"), []).unwrap(), all);
        }
        assert_eq!(number(&server.call(("signalled", "fork_keeps_handlers"), []).unwrap()), 4);
    }
    // Those of a module that a template imports are those of its workers, too.
    let warmup = ("warmup", crate::harness::term::tuple([atom("signalled"), atom("take_all"), list([])]));
    let mut server = Server::start([("size", int(1)), warmup]);
    assert_eq!(server.call(("signalled", "taken"), []).unwrap(), all);
}

#[test]
fn the_default_is_no_handler_of_its_own_when_the_call_is_over() {
    for preload in [vec![], vec![text("signalled")]] {
        let env = map([("GOES_BACK_AT_IMPORT", text("1"))]);
        let options = [("size", int(1)), ("preload", list(preload)), ("env", env), ("wait", atom("all"))];
        let mut server = Server::start(options);
        strike(server.mark());
        let worker = server.call(("echo", "pid"), []).unwrap();
        let all = list((0..4).map(|_| atom("true")));
        for how in ["loop", "raises", "defaults"] {
            assert_eq!(server.call(("signalled", "goes_back"), [text(how)]).unwrap(), all);
            strike(server.mark());
            assert_eq!(server.call(("signalled", "raises_all"), []).unwrap(), worker, "{how}");
        }
        assert_eq!(server.call(("signalled", "goes_back_in_a_coroutine"), []).unwrap(), all);
        strike(server.mark());
        assert_eq!(server.call(("signalled", "raises_all"), []).unwrap(), worker);
        assert_eq!(get(&server.status(), "last_exit"), atom("nil"));
    }
}

#[test]
fn a_retired_worker_that_does_not_end_is_ended_by_sigterm_which_names_itself() {
    let mut server = Server::start([("size", int(2)), ("wait", atom("all"))]);
    let hangs = Signpost::new();
    server.call(("hangs", "with_a_thread"), [hangs.text()]).unwrap();
    let pid: u32 = fs::read_to_string(hangs.path()).unwrap().parse().unwrap();
    assert!(is_alive(pid));
    drain(&mut server);
    assert_dies(pid);
}

#[test]
fn the_last_words_of_a_command_are_those_of_its_user() {
    // `portpool call` is its own owner: there, Ctrl-C is meant for it.
    let mark = Mark::new();
    let mut command = Command::new(program());
    command.args(["call", "--python", python(), "--python-path", workers().to_str().unwrap()]);
    command.args(["prints:says_and_waits"]).stdout(Stdio::null()).stderr(Stdio::piped()).stdin(Stdio::null());
    mark.put_on(&mut command);
    let mut child = command.spawn().unwrap();
    let mut said = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("it runs") {
        line.clear();
        assert_ne!(std::io::BufRead::read_line(&mut said, &mut line).unwrap(), 0, "it has ended");
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    mark.assert_gone();
}
