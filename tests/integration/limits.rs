//! How long a call may take, and what happens beyond that: deadline, on_cancel, retries, quarantine, keys, meta.
//! docs/protocol.md 7.3 and 8.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::harness::processes::signal;
use crate::harness::term::{atom, count, element, get, int, number, string, text};
use crate::harness::{Server, Signpost};

#[test]
fn a_deadline_ends_a_call_that_runs_and_one_that_waits() {
    let mut server = Server::start([("size", int(1))]);
    let start = Instant::now();
    let running = server.cast(("echo", "forever"), [], &[("deadline", int(300)), ("timeout", int(60_000))]);
    let waiting = server.cast(("echo", "pid"), [], &[("deadline", int(100)), ("checkout_timeout", atom("infinity"))]);
    let (to, result) = server.reply();
    let error = result.unwrap_err();
    assert_eq!((to, error.reason(), error.phase()), (waiting, "checkout_timeout".into(), "checkout".into()));
    assert!(error.message().contains("(deadline)"), "{error:?}");
    let (to, result) = server.reply();
    let error = result.unwrap_err();
    assert_eq!((to, error.reason(), error.phase()), (running, "timeout".into(), "call".into()));
    assert!(error.message().contains("300 ms (deadline)"), "{error:?}");
    assert!(start.elapsed() >= Duration::from_millis(300));
}

#[test]
fn three_megabytes_for_a_stopped_worker_fall_due_with_their_deadline() {
    let mut server = Server::start([("size", int(1))]);
    let pid = u32::try_from(number(&server.call(("echo", "pid"), []).unwrap())).unwrap();
    signal(pid, Signal::STOP);
    let start = Instant::now();
    let megabyte = text(&"x".repeat(1_000_000));
    let ids: BTreeSet<u64> =
        (0..3).map(|_| server.cast(("echo", "echo"), [megabyte.clone()], &[("deadline", int(300))])).collect();
    let ended: BTreeSet<u64> = (0..3)
        .map(|_| server.reply())
        .map(|(to, result)| {
            let reason = result.unwrap_err().reason();
            assert!(reason == "timeout" || reason == "checkout_timeout", "{reason}");
            to
        })
        .collect();
    assert_eq!(ended, ids);
    assert!(start.elapsed() < Duration::from_millis(1300), "{:?}", start.elapsed());
}

#[test]
fn a_cancelled_call_can_be_left_to_finish_for_nobody() {
    let mut server = Server::start([("size", int(1)), ("on_cancel", atom("finish"))]);
    let pid = server.call(("echo", "pid"), []).unwrap();
    let (flag, proof) = (Signpost::new(), Signpost::new());
    let id = server.cast(("echo", "wait_for_and_touch"), [flag.text(), proof.text()], &[]);
    server.wait_for_status("it runs", |status| count(status, "busy") == 1);
    server.send_cancel(id);
    let (to, result) = server.reply();
    assert_eq!((to, result.unwrap_err().reason()), (id, "cancelled".into()));
    let next = server.cast(("echo", "pid"), [], &[]);
    flag.put_up();
    let (to, result) = server.reply();
    assert_eq!((to, result.unwrap()), (next, pid), "the same worker, once it is free");
    assert!(proof.is_up(), "it ran to its end");
    let error = {
        let id = server.cast(("echo", "forever"), [], &[("on_cancel", atom("kill"))]);
        server.wait_for_status("it runs", |status| count(status, "busy") == 1);
        server.send_cancel(id);
        server.reply().1.unwrap_err()
    };
    assert_eq!(error.reason(), "cancelled");
}

#[test]
fn only_idempotent_calls_are_made_again_and_only_after_their_worker_died() {
    let mut server = Server::start([("size", int(1)), ("retry", int(3)), ("quarantine", int(0))]);
    let again = [("idempotent", atom("true")), ("meta", atom("true"))];
    let error = server.call_with(("echo", "fails"), [text("no")], &again[..1]).unwrap_err();
    assert_eq!(error.reason(), "exception", "it is an answer");
    let counter = Signpost::new();
    let id = server.cast(("dies", "until"), [counter.text(), int(2)], &again);
    let reply = server.receive();
    assert_eq!(number(&element(&reply, 1)), id);
    let outcome = element(&reply, 2);
    assert_eq!((string(&element(&outcome, 1)), number(&get(&element(&outcome, 2), "attempt"))), ("alive".into(), 3));

    let counter = Signpost::new();
    let error = server.call(("dies", "until"), [counter.text(), int(1)]).unwrap_err();
    assert_eq!((error.reason(), error.detail("attempt")), ("worker_exit".into(), int(1)));

    let counter = Signpost::new();
    let error = server.call_with(("dies", "until"), [counter.text(), int(9)], &again[..1]).unwrap_err();
    assert_eq!((error.reason(), error.detail("attempt")), ("worker_exit".into(), int(4)));
}

#[test]
fn a_call_that_kills_worker_after_worker_is_refused_and_others_are_not() {
    let mut server = Server::start([("size", int(1)), ("quarantine", int(2))]);
    let poison = |server: &mut Server, n| {
        server.call_with(("dies", "by_exit"), [int(n)], &[("idempotent", atom("true")), ("retry", int(1))])
    };
    assert_eq!(poison(&mut server, 3).unwrap_err().reason(), "worker_exit");
    let error = poison(&mut server, 3).unwrap_err();
    assert_eq!((error.reason(), error.blame(), error.detail("kills")), ("quarantined".into(), "caller".into(), int(2)));
    assert!(number(&error.detail("retry_after_ms")) > 500_000);
    assert_eq!(poison(&mut server, 4).unwrap_err().reason(), "worker_exit", "other arguments");
    server.call(("echo", "pid"), []).unwrap();
}

#[test]
fn calls_with_the_same_key_run_on_the_same_worker_while_it_lives() {
    let mut server = Server::start([("size", int(3)), ("wait", atom("all")), ("strategy", atom("fifo"))]);
    let pid =
        |server: &mut Server, key: &str| number(&server.call_with(("echo", "pid"), [], &[("key", text(key))]).unwrap());
    let (one, two) = (pid(&mut server, "one"), pid(&mut server, "two"));
    assert_ne!(one, two, "fifo: the next key goes to the worker that has been idle longest");
    for _ in 0..10 {
        assert_eq!((pid(&mut server, "one"), pid(&mut server, "two")), (one, two));
    }
    signal(u32::try_from(one).unwrap(), Signal::KILL);
    server.wait_for_status("it is seen", |status| count(status, "restarts") == 1);
    let moved = pid(&mut server, "one");
    assert_ne!(moved, one);
    assert_eq!((pid(&mut server, "one"), pid(&mut server, "two")), (moved, two));
}

#[test]
fn which_idle_worker_is_next_is_the_last_used_or_the_longest_idle() {
    for (strategy, workers) in [("lifo", 1), ("fifo", 3)] {
        let mut server = Server::start([("size", int(3)), ("wait", atom("all")), ("strategy", atom(strategy))]);
        let pids: BTreeSet<u64> = (0..9).map(|_| number(&server.call(("echo", "pid"), []).unwrap())).collect();
        assert_eq!(pids.len(), workers, "{strategy}");
    }
}

#[test]
fn a_reply_tells_where_and_how_long_if_it_is_asked_to() {
    let mut server = Server::start([("size", int(1))]);
    let flag = Signpost::new();
    server.cast(("echo", "wait_for"), [flag.text()], &[]);
    let id = server.cast(("echo", "pid"), [], &[("meta", atom("true"))]);
    flag.put_up();
    server.reply().1.unwrap();
    let reply = server.receive();
    assert_eq!(number(&element(&reply, 1)), id);
    let outcome = element(&reply, 2);
    let (value, meta) = (element(&outcome, 1), element(&outcome, 2));
    assert_eq!(get(&meta, "pid"), value);
    assert_eq!((number(&get(&meta, "attempt")), number(&get(&meta, "worker"))), (1, 1));
    assert!(number(&get(&meta, "queue_us")) > 0 && number(&get(&meta, "run_us")) > 0);
}

#[test]
fn a_call_that_runs_too_long_says_where_it_was_in_python_and_in_c() {
    let mut server = Server::start([("size", int(1))]);
    for (function, seen) in [("busy", "in busy"), ("in_c_holding_the_gil", "in in_c_holding_the_gil")] {
        let path = Signpost::new();
        let start = Instant::now();
        let error = server.call_with(("hangs", function), [path.text()], &[("timeout", int(300))]).unwrap_err();
        assert_eq!(error.reason(), "timeout");
        let stacks = string(&error.detail("stacks"));
        assert!(stacks.contains(seen) && stacks.contains("hangs.py"), "{stacks}");
        assert!(start.elapsed() < Duration::from_millis(300 + 1000 + 500), "{:?}", start.elapsed());
    }
    let error = server.call_with(("dies", "stop"), [], &[("timeout", int(300))]).unwrap_err();
    assert!(error.message().contains("SIGSTOP"), "{error:?}");
    let status = server.wait_for_status("it is gone", |status| count(status, "restarts") == 3);
    assert_eq!(string(&get(&get(&status, "last_exit"), "how")), "killed: its call ran too long");
}

#[test]
fn with_a_grace_python_is_interrupted_and_may_still_answer() {
    let mut server = Server::start([("size", int(1)), ("grace", int(60_000))]);
    let pid = server.call(("echo", "pid"), []).unwrap();
    let limit = [("timeout", int(100))];
    let best = server.call_with(("grace", "best_so_far"), [], &limit).unwrap();
    assert_eq!(string(&best), "the best so far");
    let error = server.call_with(("echo", "forever"), [], &limit).unwrap_err();
    assert_eq!((error.reason(), string(&error.detail("type"))), ("timeout".into(), "KeyboardInterrupt".into()));
    assert!(string(&error.detail("traceback")).contains("in forever"), "{error:?}");
    assert_eq!(error.detail("pid"), pid);
    assert_eq!(server.call(("echo", "pid"), []).unwrap(), pid, "the worker lives");
    let error = server.call_with(("grace", "deaf"), [], &[("timeout", int(100)), ("grace", int(100))]).unwrap_err();
    assert!(string(&error.detail("stacks")).contains("in deaf"), "{error:?}");
    assert_ne!(server.call(("echo", "pid"), []).unwrap(), pid);
}

#[test]
fn an_idle_worker_that_does_not_answer_is_replaced_before_anyone_gets_it() {
    let mut server = Server::start([("size", int(1)), ("idle_check", int(50))]);
    let pid = number(&server.call(("echo", "pid"), []).unwrap());
    server.call(("echo", "pid"), []).unwrap();
    signal(u32::try_from(pid).unwrap(), Signal::STOP);
    server.wait_for_status("it is found out", |status| count(status, "restarts") == 1);
    assert_ne!(number(&server.call(("echo", "pid"), []).unwrap()), pid);
}

#[test]
fn a_call_whose_deadline_is_over_when_it_comes_does_not_run_and_harms_no_worker() {
    let mut server = Server::start([("size", int(1))]);
    let pid = server.call(("echo", "pid"), []).unwrap();
    let error = server.call_with(("echo", "pid"), [], &[("deadline", int(0))]).unwrap_err();
    assert_eq!((error.reason(), error.phase()), ("checkout_timeout".into(), "checkout".into()));
    assert!(error.message().contains("(deadline); it did not run"), "{error:?}");
    assert_eq!(server.call(("echo", "pid"), []).unwrap(), pid);
}

#[test]
fn calls_in_the_queue_are_refused_as_soon_as_their_like_have_killed_too_many() {
    let mut server = Server::start([("size", int(1)), ("quarantine", int(2))]);
    let flag = Signpost::new();
    server.cast(("echo", "wait_for"), [flag.text()], &[]);
    let opts = [("idempotent", atom("true")), ("retry", int(1)), ("checkout_timeout", atom("infinity"))];
    let poison: BTreeSet<u64> = (0..8).map(|_| server.cast(("dies", "by_exit"), [int(3)], &opts)).collect();
    flag.put_up();
    server.reply().1.unwrap();
    let mut reasons: Vec<String> = poison
        .iter()
        .map(|_| server.reply())
        .map(|(to, result)| {
            assert!(poison.contains(&to));
            result.unwrap_err().reason()
        })
        .collect();
    reasons.sort();
    assert!(reasons.iter().filter(|reason| *reason == "quarantined").count() >= 6, "{reasons:?}");
    let status = server.wait_for_status("two were killed", |status| count(status, "restarts") >= 2);
    assert_eq!(count(&status, "restarts"), 2);
}
