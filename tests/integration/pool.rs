//! The pool through the real program and real Python: queue, overflow, limits, replacement.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::harness::processes::{assert_dies, is_alive, signal};
use crate::harness::term::{atom, atom_name, count, elements, get, int, list, number, string, text, tuple};
use crate::harness::{SOON, Server, Signpost, pythons, unique, workers};

/// A path that nothing is at.
fn signpost() -> PathBuf {
    let path = std::env::temp_dir().join(format!("portpool-test-{}-{}", std::process::id(), unique()));
    let _ = fs::remove_file(&path);
    path
}

fn path_text(path: &std::path::Path) -> eetf::Term {
    text(path.to_str().unwrap())
}

#[test]
fn calls_run_first_come_first_served_each_on_a_free_worker() {
    let mut server = Server::start([("size", int(1))]);
    let ids: Vec<u64> = (0..50).map(|n| server.cast(("operator", "neg"), [int(n)], &[])).collect();
    let order: Vec<u64> = ids.iter().map(|_| server.reply().0).collect();
    assert_eq!(order, ids, "one worker answers in the order of the queue");
}

#[test]
fn a_call_that_times_out_gets_one_reply_and_its_worker_is_killed_first() {
    let mut server = Server::start([("size", int(1))]);
    let pid = number(&server.call(("echo", "pid"), []).unwrap());
    let start = Instant::now();
    let error = server.call_with(("echo", "forever"), [], &[("timeout", int(200))]).unwrap_err();
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(200) && took < Duration::from_millis(1200), "{took:?}");
    assert_eq!((error.reason(), error.phase(), error.blame()), ("timeout".into(), "call".into(), "worker".into()));
    assert_eq!(error.detail("pid"), int(pid));
    assert!(number(&error.detail("elapsed_ms")) >= 200);
    assert!(error.message().contains("echo:forever ran longer than 200 ms"), "{}", error.message());
    assert_dies(u32::try_from(pid).unwrap());
    assert_ne!(number(&server.call(("echo", "pid"), []).unwrap()), pid, "replaced");
    server.close_stdin();
    server.assert_nothing_more();
}

#[test]
fn a_timeout_leaves_queued_calls_and_other_workers_untouched() {
    let mut server = Server::start([("size", int(2)), ("wait", atom("all"))]);
    let flag = signpost();
    let hung = server.cast(("echo", "forever"), [], &[("timeout", int(150))]);
    let other = server.cast(("echo", "wait_for"), [path_text(&flag)], &[]);
    let queued = server.cast(("echo", "pid"), [], &[]);
    let (to, result) = server.reply();
    assert_eq!((to, result.unwrap_err().reason()), (hung, "timeout".into()));
    let (to, result) = server.reply();
    assert_eq!(to, queued);
    result.unwrap();
    fs::write(&flag, "").unwrap();
    let (to, result) = server.reply();
    assert_eq!((to, string(&result.unwrap())), (other, "seen".into()));
    fs::remove_file(&flag).unwrap();
}

#[test]
fn a_call_whose_checkout_timeout_ends_never_runs() {
    let mut server = Server::start([("size", int(1))]);
    let (flag, proof) = (signpost(), signpost());
    let running = server.cast(("echo", "wait_for"), [path_text(&flag)], &[]);
    let error = {
        let id = server.cast(("echo", "touch"), [path_text(&proof)], &[("checkout_timeout", int(100))]);
        let (to, result) = server.reply();
        assert_eq!(to, id);
        result.unwrap_err()
    };
    assert_eq!(
        (error.reason(), error.phase(), error.blame()),
        ("checkout_timeout".into(), "checkout".into(), "server".into())
    );
    assert!(number(&error.detail("waited_ms")) >= 100);
    let id = server.cast(("echo", "touch"), [path_text(&proof)], &[("checkout_timeout", int(0))]);
    let (to, result) = server.reply();
    assert_eq!((to, result.unwrap_err().reason()), (id, "checkout_timeout".into()), "0: only if a worker is idle now");
    fs::write(&flag, "").unwrap();
    assert_eq!(server.reply().0, running);
    server.call_with(("echo", "pid"), [], &[("checkout_timeout", int(0))]).unwrap();
    assert!(!proof.exists(), "it ran");
    fs::remove_file(&flag).unwrap();
}

#[test]
fn a_full_queue_refuses_at_once_and_says_so() {
    let mut server = Server::start([("size", int(1)), ("max_queue", int(2)), ("max_queue_bytes", int(100_000))]);
    let flag = signpost();
    let mut accepted = vec![server.cast(("echo", "wait_for"), [path_text(&flag)], &[])];
    accepted.push(server.cast(("echo", "echo"), [int(1)], &[]));
    let error = {
        let id = server.cast(("echo", "echo"), [text(&"x".repeat(100_000))], &[]);
        let (to, result) = server.reply();
        assert_eq!(to, id);
        result.unwrap_err()
    };
    assert_eq!((error.reason(), error.phase()), ("queue_full".into(), "checkout".into()), "too many bytes");
    accepted.push(server.cast(("echo", "echo"), [int(2)], &[]));
    let id = server.cast(("echo", "echo"), [int(3)], &[]);
    let (to, result) = server.reply();
    let error = result.unwrap_err();
    assert_eq!((to, error.reason(), error.detail("waiting")), (id, "queue_full".into(), int(2)), "too many calls");
    fs::write(&flag, "").unwrap();
    for id in accepted {
        let (to, result) = server.reply();
        assert!(result.is_ok() && to == id);
    }
    fs::remove_file(&flag).unwrap();
}

#[test]
fn overflow_workers_serve_waiting_calls_and_leave_when_they_idle() {
    let mut server = Server::start([("size", int(1)), ("max_overflow", int(2)), ("overflow_ttl", int(200))]);
    let flag = signpost();
    let waiting: Vec<u64> = (0..3).map(|_| server.cast(("echo", "wait_for"), [path_text(&flag)], &[])).collect();
    let status = server.wait_for_status("three at work", |status| count(status, "busy") == 3);
    assert_eq!((count(&status, "overflow"), count(&status, "waiting")), (2, 0));
    assert_eq!(atom_name(&get(&status, "state")), "full");
    fs::write(&flag, "").unwrap();
    let mut answered: Vec<u64> = waiting.iter().map(|_| server.reply().0).collect();
    answered.sort_unstable();
    assert_eq!(answered, waiting);
    let status = server.wait_for_status("back to size", |status| elements(&get(status, "workers")).len() == 1);
    assert_eq!((count(&status, "idle"), count(&status, "overflow")), (1, 0));
    assert_eq!(count(&status, "restarts"), 0, "a worker that retires is not replaced");
    fs::remove_file(&flag).unwrap();
}

#[test]
fn without_a_queue_calls_still_get_overflow_workers() {
    let options = [("size", int(1)), ("max_overflow", int(1)), ("max_queue", int(0))];
    let mut server = Server::start(options);
    let flag = signpost();
    let accepted: Vec<u64> = (0..2).map(|_| server.cast(("echo", "wait_for"), [path_text(&flag)], &[])).collect();
    server.wait_for_status("both at work", |status| count(status, "busy") == 2);
    let error = {
        let id = server.cast(("echo", "wait_for"), [path_text(&flag)], &[]);
        let (to, result) = server.reply();
        assert_eq!(to, id);
        result.unwrap_err()
    };
    assert_eq!(error.reason(), "queue_full");
    fs::write(&flag, "").unwrap();
    let mut answered: Vec<u64> = accepted.iter().map(|_| server.reply().0).collect();
    answered.sort_unstable();
    assert_eq!(answered, accepted);
    fs::remove_file(&flag).unwrap();
}

#[test]
fn a_worker_that_dies_in_a_call_fails_that_call_alone_and_is_replaced() {
    let cases = [
        (("dies", "by_signal"), vec![int(9)], "signal", 9),
        (("dies", "by_segfault"), vec![], "signal", 11),
        (("dies", "by_exit"), vec![int(0)], "status", 0),
        (("dies", "by_exit"), vec![int(7)], "status", 7),
    ];
    let mut server = Server::start([("size", int(1))]);
    for (function, args, key, value) in cases {
        let dying = server.cast(function, args, &[]);
        let queued = server.cast(("operator", "neg"), [int(0)], &[]);
        let (to, result) = server.reply();
        let error = result.unwrap_err();
        assert_eq!((to, error.reason(), error.blame()), (dying, "worker_exit".into(), "worker".into()), "{error:?}");
        assert_eq!(error.detail(key), int(value));
        assert_eq!(server.reply().0, queued, "the queued call is untouched");
    }
    let error = server.call(("dies", "with_last_words"), [text("out of cheese")]).unwrap_err();
    assert!(error.message().contains("out of cheese"), "{}", error.message());
    assert_eq!(string(elements(&error.detail("stderr")).last().unwrap()), "out of cheese");
    let error = server.call(("dies", "by_segfault"), []).unwrap_err();
    let stderr: Vec<String> = elements(&error.detail("stderr")).iter().map(string).collect();
    assert!(stderr.iter().any(|line| line.contains("dies.py")), "faulthandler's stack: {stderr:?}");
    server.wait_for_status("back to size", |status| count(status, "idle") == 1);
}

/// faulthandler shows up to a hundred frames of Python, and from 3.14 on those of C, too.
#[test]
fn a_crash_is_told_however_deep_it_was() {
    for python in pythons() {
        for levels in [0, 30, 200] {
            let mut server = Server::start([("size", int(1)), ("python", text(&python))]);
            let error = server.call(("dies", "deep"), [int(levels)]).unwrap_err();
            let says = "its last line was: Fatal Python error: Segmentation fault";
            assert!(error.message().contains(says), "{python}: {}", error.message());
            let stderr: Vec<String> = elements(&error.detail("stderr")).iter().map(string).collect();
            assert!(stderr.iter().any(|line| line.ends_with("in by_segfault")), "{python}: {stderr:?}");
        }
    }
}

#[test]
fn exceptions_come_with_type_traceback_and_frames_and_the_worker_lives() {
    let mut server = Server::start([("size", int(1))]);
    let pid = server.call(("echo", "pid"), []).unwrap();
    let error = server.call(("echo", "fails"), [text("no such stop: Zürich")]).unwrap_err();
    assert_eq!((error.reason(), error.phase(), error.blame()), ("exception".into(), "call".into(), "worker".into()));
    assert_eq!(error.message(), "ValueError: no such stop: Zürich");
    assert_eq!(string(&error.detail("type")), "ValueError");
    let traceback = string(&error.detail("traceback"));
    assert!(traceback.starts_with("KeyError: 'the cause'") || traceback.starts_with("Traceback"), "{traceback}");
    assert!(traceback.contains("the direct cause of the following exception"), "{traceback}");
    assert!(!traceback.contains("_worker.py"), "only the user's own frames: {traceback}");
    let frame = elements(&error.detail("frames")).pop().unwrap();
    assert!(string(&get(&frame, "file")).ends_with("tests/workers/echo.py"));
    assert_eq!(
        (string(&get(&frame, "function")), string(&get(&frame, "code"))),
        ("fails".into(), "raise ValueError(text) from error".into())
    );
    assert!(number(&get(&frame, "line")) > 0);
    for (function, kind) in [("sys_exit", "SystemExit"), ("interrupt", "KeyboardInterrupt")] {
        let error = server.call(("dies", function), []).unwrap_err();
        assert_eq!((error.reason(), string(&error.detail("type"))), ("exception".into(), kind.into()));
    }
    assert_eq!(server.call(("echo", "pid"), []).unwrap(), pid);
}

#[test]
fn what_cannot_be_called_is_undef_and_says_what_is_wrong_with_it() {
    let mut server = Server::start([("size", int(1))]);
    for (module, function, args, says) in [
        ("no_such_module", "f", vec![], "there is no module no_such_module"),
        ("os.no_such", "f", vec![], "there is no module os.no_such"),
        ("math", "sqroot", vec![int(4)], "math has no function sqroot"),
        ("os", "path.nothing", vec![], "os has no function path.nothing"),
        ("math", "pi", vec![], "math.pi is not a function but a float"),
        ("echo", "echo", vec![], "missing a required argument: 'value'"),
        (
            "echo",
            "echo",
            vec![int(1), int(2)],
            "echo.echo(value) does not take these arguments: too many positional arguments",
        ),
    ] {
        let error = server.call((module, function), args).unwrap_err();
        assert_eq!((error.reason(), error.blame()), ("undef".into(), "caller".into()), "{error:?}");
        assert!(error.message().contains(says), "{} does not say {says}", error.message());
    }
    for (module, function, hint) in [
        ("math", "sqroot", "did you mean sqrt?"),
        ("builtins", "str.uper", "did you mean str.upper?"),
        ("os", "pathh.join", "did you mean path.join?"),
        ("operator", "add", ""),
        ("builtins", "str.upper", ""),
        ("math", "pi", ""),
        ("math", "zzz", ""),
    ] {
        assert_eq!(
            string(&server.call((module, function), []).unwrap_err().detail("hint")),
            hint,
            "{module}:{function}"
        );
    }
    let inside = server.call(("operator", "add"), [int(1), text("x")]).unwrap_err();
    assert_eq!((inside.reason(), string(&inside.detail("type"))), ("exception".into(), "TypeError".into()));
    let broken = server.call(("imports_what_is_missing", "f"), []).unwrap_err();
    assert_eq!((broken.reason(), string(&broken.detail("type"))), ("exception".into(), "ModuleNotFoundError".into()));
    assert!(broken.message().contains("a_package_that_is_not_installed"));
}

#[test]
fn async_functions_are_awaited() {
    let mut server = Server::start([("size", int(1))]);
    assert_eq!(server.call(("echo", "awaited"), [int(5)]).unwrap(), int(5));
}

#[test]
fn results_without_a_form_as_a_term_are_the_error_of_their_call() {
    let mut server = Server::start([("size", int(1))]);
    let error = server.call(("builtins", "object"), []).unwrap_err();
    assert_eq!((error.reason(), error.phase(), error.blame()), ("unencodable".into(), "reply".into(), "worker".into()));
    assert!(error.message().contains("object"), "{}", error.message());
    let error = server.call(("builtins", "float"), [text("nan")]).unwrap_err();
    assert_eq!((error.reason(), error.phase()), ("unencodable".into(), "reply".into()));
    assert_eq!(server.call(("operator", "neg"), [int(0)]).unwrap(), int(0));
}

#[test]
fn nothing_that_is_printed_touches_the_protocol() {
    let mut server = Server::start([("size", int(1))]);
    assert_eq!(string(&server.call(("prints", "everywhere"), []).unwrap()), "fine");
    let [own, childs] = elements(&server.call(("prints", "reads_stdin"), []).unwrap()).try_into().unwrap();
    assert_eq!((string(&own), string(&childs)), (String::new(), String::new()), "stdin is at its end");
    assert_eq!(string(&server.call(("prints", "much"), [int(20)]).unwrap()), "fine");
    server.close_stdin();
    let (_, log) = server.wait();
    for line in [
        "from print",
        "Привет!",
        "from os.write",
        "from C",
        "from a child",
        "and its stderr",
        "from warnings",
        "without end of line",
    ] {
        assert!(log.contains(line), "{line} is not in the log: {}", log.chars().take(3000).collect::<String>());
    }
    assert!(log.contains("were dropped"), "what is too much is counted");
}

#[test]
fn a_stderr_that_nobody_reads_holds_up_nothing() {
    let mut server = Server::unheard();
    server.hello([("size", int(1))]);
    server.receive();
    for _ in 0..2 {
        assert_eq!(string(&server.call(("prints", "much"), [int(20)]).unwrap()), "fine");
    }
    let error = server.call_with(("echo", "forever"), [], &[("timeout", int(100))]).unwrap_err();
    assert_eq!(error.reason(), "timeout");
    server.close_stdin();
    assert_eq!(server.wait().0.code(), Some(0));
}

#[test]
fn workers_get_a_clean_environment() {
    let mut server = Server::silent();
    let env = eetf::Map::from([(text("PORTPOOL_OWN"), text("yes")), (text("HOME"), atom("false"))]);
    server.hello([("size", int(1)), ("env", env.into()), ("cd", text("/"))]);
    server.receive();
    let mut environ = |name: &str| server.call(("echo", "environ"), [text(name)]).unwrap();
    assert_eq!(environ("PORTPOOL_OWN"), text("yes"));
    assert_eq!(environ("HOME"), atom("nil"));
    assert_eq!(environ("BINDIR"), atom("nil"));
    assert!(string(&environ("OMP_NUM_THREADS")).parse::<u32>().unwrap() >= 1);
    assert_eq!(server.call(("os", "getcwd"), []).unwrap(), text("/"));
    let descriptors = server.call(("os", "listdir"), [text("/proc/self/fd")]).unwrap();
    let count = elements(&descriptors).len();
    assert_eq!(count, 7, "0, 1, 2, the channel's two, the memory file, and the folder that is read: {descriptors}");
}

#[test]
fn workers_that_keep_dying_do_not_start_in_a_loop_and_the_pool_heals() {
    let folder = signpost();
    fs::create_dir(&folder).unwrap();
    let site = folder.join("sitecustomize.py");
    fs::write(&site, "import os, sys\nsys.stderr.write('broken on purpose\\n')\nsys.stderr.flush()\nos._exit(3)\n")
        .unwrap();
    let mut server = Server::silent();
    let env = eetf::Map::from([(text("PYTHONPATH"), path_text(&folder))]);
    server.hello([("size", int(2)), ("env", env.into())]);
    let ready = server.receive();
    let info = crate::harness::term::element(&ready, 2);
    assert_eq!(count(&info, "workers_ready"), 0);
    let why = get(&info, "last_start_error");
    assert!(string(&get(&why, "message")).contains("broken on purpose"), "{why}");
    let error = server.call(("operator", "neg"), [int(0)]).unwrap_err();
    assert_eq!((error.reason(), error.phase()), ("crash_loop".into(), "start".into()));
    assert!(error.message().contains("broken on purpose"), "{}", error.message());
    assert!(matches!(get(&server.status(), "crash_loop"), atom if atom_name(&atom) == "true"));
    fs::remove_file(&site).unwrap();
    server.wait_for_status("healed", |status| count(status, "idle") == 2);
    assert_eq!(server.call(("operator", "neg"), [int(0)]).unwrap(), int(0));
    assert_eq!(atom_name(&get(&server.status(), "crash_loop")), "false");
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn workers_that_break_the_channel_are_killed_and_replaced() {
    let mut server = Server::start([("size", int(1))]);
    for (function, args, says) in [
        ("close", vec![], "closed its channel"),
        ("half_close", vec![], "closed its channel"),
        ("garbage", vec![], "broke the protocol"),
        ("claims", vec![int(0x7FFF_FFFF)], "a frame of 2147483647 bytes"),
        ("claims", vec![int(0xFFFF_FFFF)], "a frame of 4294967295 bytes"),
        ("answers_another_call", vec![], "broke the protocol"),
    ] {
        let pid = number(&server.call(("echo", "pid"), []).unwrap());
        let error = server.call(("breaks_the_channel", function), args).unwrap_err();
        assert_eq!(error.reason(), "worker_exit", "{function}: {error:?}");
        assert!(error.message().contains(says), "{function}: {}", error.message());
        assert_dies(u32::try_from(pid).unwrap());
    }
    assert_eq!(server.call(("operator", "neg"), [int(0)]).unwrap(), int(0));
}

#[test]
fn the_death_of_a_worker_is_seen_although_a_child_of_its_holds_the_channel() {
    let mut server = Server::start([("size", int(1))]);
    let start = Instant::now();
    let error = server.call(("breaks_the_channel", "held_by_a_child_that_outlives_us"), []).unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!((error.reason(), error.detail("status")), ("worker_exit".into(), int(9)));
}

#[test]
fn lines_carry_the_number_of_the_call_that_printed_them() {
    let mut server = Server::start([("size", int(1))]);
    for n in 0..5 {
        server.call(("builtins", "print"), [text(&format!("line {n}"))]).unwrap();
    }
    server.close_stdin();
    let (_, log) = server.wait();
    for n in 0..5 {
        let line = log.lines().find(|line| line.contains(&format!("line {n}"))).unwrap();
        assert!(line.contains(&format!("call={}", n + 1)), "{line}");
    }
}

#[test]
fn an_exception_survives_frames_that_are_too_small_for_its_traceback() {
    let mut server = Server::start([("size", int(1)), ("max_frame", int(1024))]);
    let error = server.call(("echo", "fails_deep"), [int(30)]).unwrap_err();
    assert_eq!((error.reason(), string(&error.detail("type"))), ("exception".into(), "ValueError".into()));
    assert_eq!(error.message(), "ValueError: deep");
}

#[test]
fn python_path_is_meant_from_where_the_server_is() {
    let mut server = Server::silent();
    let relative = pathdiff(&workers());
    server.hello([("size", int(1)), ("python_path", list([text(&relative)])), ("cd", text("/tmp"))]);
    server.receive();
    assert_eq!(server.call(("echo", "echo"), [int(1)]).unwrap(), int(1));
}

/// A path below the working directory, relative to it.
fn pathdiff(path: &std::path::Path) -> String {
    path.strip_prefix(std::env::current_dir().unwrap()).unwrap().to_str().unwrap().to_owned()
}

#[test]
fn memory_of_large_values_is_given_back_seconds_after_the_last_of_them() {
    let mut server = Server::start([("size", int(2)), ("wait", atom("all"))]);
    let rss = |pid: u32| -> u64 {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let before = rss(server.pid());
    for mebibytes in [10, 40] {
        let payload = text(&"x".repeat(mebibytes << 20));
        for _ in 0..4 {
            server.call(("echo", "echo"), [payload.clone()]).unwrap();
        }
        let (with, end) = (rss(server.pid()), Instant::now() + SOON);
        assert!(
            with > before + (mebibytes << 10) as u64,
            "{before} kB before, {with} kB: what was kept serves the next"
        );
        // Small calls neither need it nor keep it.
        while rss(server.pid()) > before + (8 << 10) {
            server.call(("operator", "neg"), [int(1)]).unwrap();
            assert!(Instant::now() < end, "{before} kB before, {} kB after", rss(server.pid()));
        }
    }
}

#[test]
fn a_second_answer_is_a_breach_and_nobody_hears_it() {
    let mut server = Server::start([("size", int(1))]);
    let pid = number(&server.call(("echo", "pid"), []).unwrap());
    // The server numbers calls from 1: this is its second.
    let first = server.cast(("breaks_the_channel", "answers_twice"), [int(2)], &[]);
    assert_eq!(server.reply().0, first);
    server.wait_for_status("the worker is replaced", |status| count(status, "restarts") == 1);
    assert!(!is_alive(u32::try_from(pid).unwrap()));
    assert_eq!(server.call(("operator", "neg"), [int(0)]).unwrap(), int(0));
    server.send(&tuple([atom("ping"), int(99)]));
    assert_eq!(server.reply().0, 99);
    server.close_stdin();
    server.assert_nothing_more();
}

#[test]
fn a_call_whose_worker_is_gone_runs_nowhere_and_says_so() {
    let mut server = Server::start([("size", int(1))]);
    let never = server.call_with(("operator", "neg"), [int(1)], &[("worker", int(77))]).unwrap_err();
    assert_eq!(
        (never.reason(), never.phase(), never.blame()),
        ("worker_gone".into(), "checkout".into(), "caller".into())
    );
    assert_eq!(never.detail("worker"), int(77));
    assert!(never.message().contains("worker 77, which operator:neg asked for, is gone: it did not run"), "{never:?}");
    // One that waits for its worker is told when that dies, and not that it had a part in it.
    let fatal = server.cast(("os", "_exit"), [int(3)], &[]);
    let waiting = server.cast(("operator", "neg"), [int(1)], &[("worker", int(1))]);
    let mut reasons: Vec<(u64, String)> =
        [server.reply(), server.reply()].into_iter().map(|(id, outcome)| (id, outcome.unwrap_err().reason())).collect();
    reasons.sort_unstable();
    assert_eq!(reasons, [(fatal, "worker_exit".into()), (waiting, "worker_gone".into())]);
}

#[test]
fn a_call_that_three_workers_have_not_read_did_not_run_and_its_error_says_so() {
    let init = tuple([atom("starts"), text("deaf"), list([])]);
    let mut server = Server::start([("size", int(1)), ("init", init)]);
    let error = server.call(("operator", "neg"), [int(1)]).unwrap_err();
    assert_eq!(
        (error.reason(), error.phase(), error.blame()),
        ("worker_exit".into(), "checkout".into(), "worker".into())
    );
    assert_eq!(error.detail("attempt"), int(3));
    let message = error.message();
    assert!(message.contains("3 workers died before they had read operator:neg: it did not run"), "{message}");
}

#[test]
fn a_call_that_waits_to_be_run_again_is_not_running() {
    let fuse = Signpost::new();
    let init = tuple([atom("starts"), text("raises_where_there_is"), list([fuse.text()])]);
    let mut server = Server::start([("size", int(1)), ("init", init), ("retry", int(3))]);
    fuse.put_up();
    let call =
        server.cast(("os", "_exit"), [int(3)], &[("idempotent", atom("true")), ("checkout_timeout", atom("infinity"))]);
    server.wait_for_status("no worker starts", |status| get(status, "last_start_error") != atom("nil"));
    server.close_stdin();
    let (to, outcome) = server.reply();
    let error = outcome.unwrap_err();
    assert_eq!((to, error.reason(), error.phase()), (call, "shutdown".into(), "checkout".into()), "{error:?}");
}

#[test]
fn asking_idle_workers_whether_they_are_alive_makes_none_of_them_busy() {
    let mut server = Server::start([("size", int(1)), ("idle_check", int(1)), ("checkout_timeout", int(0))]);
    for _ in 0..3000 {
        assert_eq!(server.call(("operator", "neg"), [int(0)]), Ok(int(0)), "refused beside an idle worker");
    }
    let status = server.status();
    assert_eq!(count(&status, "restarts"), 0, "{status}");
    // All the same, one that does not answer is replaced.
    let pid = u32::try_from(number(&server.call(("echo", "pid"), []).unwrap())).unwrap();
    signal(pid, Signal::STOP);
    assert_dies(pid);
    server.wait_for_status("it is replaced", |status| count(status, "restarts") == 1 && count(status, "idle") == 1);
}
