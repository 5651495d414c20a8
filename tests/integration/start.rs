//! How a worker becomes ready: preload, warmup, after_fork, init, and what the caller gets if it does not.
//! docs/worker_protocol.md 1.

use std::fs;

use eetf::Term;

use crate::harness::term::{atom, element, elements, get, int, list, map, name, number, string, text, tuple};
use crate::harness::{Failure, Server, Signpost, pythons};

fn call(function: &str, args: impl IntoIterator<Item = Term>) -> Term {
    tuple([atom("starts"), text(function), list(args)])
}

fn words(value: &Term) -> Vec<String> {
    elements(value).iter().map(string).collect()
}

/// Why the workers of a pool do not start.
fn start_error<const N: usize>(options: [(&str, Term); N]) -> Failure {
    let mut server = Server::start([("size", int(1)), ("wait", atom("none"))].into_iter().chain(options));
    let status = server.wait_for_status("a start error", |status| get(status, "last_start_error") != atom("nil"));
    Failure::of(get(&status, "last_start_error"))
}

#[test]
fn a_worker_is_prepared_in_this_order() {
    let mut server = Server::start([
        ("size", int(1)),
        ("preload", list([text("json"), atom("starts")])),
        ("warmup", call("warm_up", [text("a")])),
        ("init", call("set_up", [text("b")])),
    ]);
    let done = server.call(("starts", "what_was_done"), []).unwrap();
    assert_eq!(words(&done), ["imported", "warmup a", "after_fork", "after_fork_too", "init b"]);
}

#[test]
fn binaries_in_the_arguments_of_init_are_what_they_are_in_the_pool() {
    for (binaries, kind) in [("str", "str"), ("bytes", "bytes")] {
        let init = call("remember_type", [text("a")]);
        let mut server = Server::start([("init", init), ("binaries", atom(binaries)), ("size", int(1))]);
        assert_eq!(string(&server.call(("starts", "remembered"), []).unwrap()), kind);
    }
}

#[test]
fn what_a_preload_raises_is_the_start_error() {
    let error = start_error([("preload", list([text("raises_at_import")]))]);
    let message = error.message();
    assert!(message.contains("preload of raises_at_import: RuntimeError: no licence for this machine"), "{message}");
    assert_eq!(string(&error.detail("type")), "RuntimeError");
    assert!(string(&error.detail("traceback")).contains("raises_at_import.py\", line 3"), "{error:?}");
    let frames = elements(&error.detail("frames"));
    assert_eq!(get(frames.last().unwrap(), "line"), int(3));
}

#[test]
fn a_preload_that_is_missing_or_ends_the_process_is_a_start_error() {
    let message = start_error([("preload", list([text("a_module_that_is_not_there")]))]).message();
    assert!(message.contains("No module named 'a_module_that_is_not_there'"), "{message}");
    let message = start_error([("preload", list([text("exits_at_import")]))]).message();
    assert!(message.contains("preload of exits_at_import: SystemExit: 0"), "{message}");
}

#[test]
fn what_init_raises_is_the_start_error() {
    let error = start_error([("init", call("raises", [text("no model")]))]);
    assert!(error.message().contains("init starts.raises: ValueError: no model"), "{}", error.message());
    assert!(string(&error.detail("traceback")).contains("in raises"), "{error:?}");
    let message = start_error([("init", call("exits", []))]).message();
    assert!(message.contains("init starts.exits: SystemExit: 0"), "{message}");
    let message = start_error([("init", call("set_upp", []))]).message();
    assert!(message.contains("starts has no function set_upp; did you mean set_up?"), "{message}");
    let message = start_error([("warmup", call("raises", [text("cold")]))]).message();
    assert!(message.contains("warmup starts.raises: ValueError: cold"), "{message}");
}

#[test]
fn an_init_that_is_no_call_is_refused_and_named() {
    for (option, value, says) in [
        ("init", atom("setup"), "must be {Module, Function, Args}"),
        ("warmup", tuple([atom("m"), atom("f"), int(3)]), "warmup"),
        ("init", tuple([atom("starts"), atom("set_up"), text("b")]), "Args a list"),
        ("preload", atom("numpy"), "a list of module names"),
        ("preload", list([text("")]), "a list of module names"),
        ("max_memory", int(0), "a number of bytes or infinity"),
        ("memory_limit", atom("much"), "a number of bytes or infinity"),
    ] {
        let mut server = Server::silent();
        server.hello([(option, value)]);
        let error = Failure::of(element(&server.receive(), 1));
        assert_eq!((error.reason(), error.detail("option")), ("bad_request".into(), text(option)));
        assert!(error.message().contains(says), "{}", error.message());
    }
}

#[test]
fn beyond_the_memory_limit_python_raises_memory_error() {
    for python in pythons() {
        let limit = [("size", int(1)), ("memory_limit", int(256 << 20)), ("python", text(&python))];
        let mut server = Server::start(limit.clone());
        assert_eq!(server.call(("starts", "takes"), [int(32)]).unwrap(), int(32 << 20));
        let error = server.call(("starts", "takes"), [int(512)]).unwrap_err();
        assert_eq!((error.reason(), string(&error.detail("type"))), ("exception".into(), "MemoryError".into()));
        // What keeps a free-threaded Python within it is taken away, unless it is the user's.
        let variable = "MIMALLOC_ARENA_RESERVE";
        assert_eq!(server.call(("os", "getenv"), [text(variable)]).unwrap(), atom("nil"), "{python}");
        let own = ("env", map([(variable, text("64"))]));
        let mut server = Server::start(limit.into_iter().chain([own]));
        assert_eq!(server.call(("os", "getenv"), [text(variable)]).unwrap(), text("64"), "{python}");
    }
}

#[test]
fn workers_go_before_others_when_the_kernel_runs_out_of_memory() {
    let own: u64 = fs::read_to_string("/proc/self/oom_score_adj").unwrap().trim().parse().unwrap_or(0);
    let mut server = Server::start([("size", int(1))]);
    let score = number(&server.call(("starts", "oom_score"), []).unwrap());
    assert_eq!(score, (own + 500).min(1000));
}

/// The error with which a session ends that had to start, with status 2.
fn refusal<const N: usize>(options: [(&str, Term); N]) -> Failure {
    let mut server = Server::silent();
    server.hello([("size", int(2)), ("on_start_failure", atom("fail"))].into_iter().chain(options));
    let first = server.receive();
    assert_eq!(name(&first), "error", "{first}");
    let error = Failure::of(element(&first, 1));
    assert_eq!(
        (error.reason(), error.phase(), error.blame()),
        ("worker_start".into(), "start".into(), "worker".into())
    );
    server.assert_nothing_more();
    let (status, _) = server.wait();
    assert_eq!(status.code(), Some(2));
    error
}

#[test]
fn a_pool_that_must_start_is_refused_with_what_python_said() {
    let error = refusal([("preload", list([text("raises_at_import")]))]);
    assert!(error.message().contains("RuntimeError: no licence for this machine"), "{error:?}");
    assert!(string(&error.detail("traceback")).contains("raises_at_import.py\", line 3"), "{error:?}");
    let error = refusal([("init", call("raises", [text("no model")]))]);
    assert!(string(&error.detail("traceback")).contains("ValueError: no model"), "{error:?}");
    // One of two is enough, whatever the other does.
    let error = refusal([("init", call("raises_in_one_of_two", [])), ("wait", atom("all"))]);
    assert!(error.message().contains("RuntimeError: the second"), "{error:?}");
    let error = refusal([("init", call("ends", []))]);
    assert_eq!(error.detail("status"), int(7), "{error:?}");
}

#[test]
fn a_pool_that_must_start_and_hangs_is_refused_at_start_timeout_and_says_where_it_hung() {
    let error = refusal([("init", call("sleeps", [])), ("start_timeout", int(3000))]);
    assert!(error.message().contains("not ready after 3000 ms (start_timeout)"), "{error:?}");
    let error = refusal([("warmup", call("sleeps", [])), ("start_timeout", int(3000))]);
    assert!(string(&error.detail("traceback")).contains("in sleeps"), "{error:?}");
}

#[test]
fn calls_made_before_a_pool_is_refused_get_the_same_error() {
    let mut server = Server::silent();
    server.hello([("size", int(1)), ("on_start_failure", atom("fail")), ("init", call("raises", [text("no model")]))]);
    let waiting = server.cast(("builtins", "len"), [text("abc")], &[]);
    let error = Failure::of(element(&server.receive(), 1));
    let (id, outcome) = server.reply();
    assert_eq!((id, outcome.unwrap_err()), (waiting, error));
    server.assert_nothing_more();
}

#[test]
fn a_pool_that_has_started_is_not_refused_later() {
    let fuse = Signpost::new();
    let init = call("raises_where_there_is", [fuse.text()]);
    let mut server = Server::start([("size", int(1)), ("on_start_failure", atom("fail")), ("init", init)]);
    fuse.put_up();
    let reload = server.request("reload", []);
    let (id, outcome) = server.reply();
    assert_eq!((id, outcome.unwrap_err().reason()), (reload, "worker_start".into()));
    assert_eq!(server.call(("starts", "exits_hard"), []).unwrap_err().reason(), "worker_exit");
    server.wait_for_status("a start error", |status| get(status, "last_start_error") != atom("nil"));
    fuse.take_down();
    assert_eq!(server.call(("builtins", "len"), [text("abc")]).unwrap(), int(3));
}

#[test]
fn on_start_failure_is_refused_by_name_where_nothing_waits_for_a_start() {
    for (options, says) in [
        (vec![("on_start_failure", atom("fail")), ("wait", atom("none"))], "cannot be combined with wait: none"),
        (vec![("wait", atom("none")), ("on_start_failure", atom("fail"))], "cannot be combined with wait: none"),
        (vec![("on_start_failure", atom("exit"))], "must be retry or fail"),
    ] {
        let mut server = Server::silent();
        server.hello(options);
        let error = Failure::of(element(&server.receive(), 1));
        assert_eq!((error.reason(), error.detail("option")), ("bad_request".into(), text("on_start_failure")));
        assert!(error.message().contains(says), "{}", error.message());
    }
}

#[test]
fn after_fork_in_a_module_that_is_imported_later_runs_at_once() {
    let at_once = ["imported", "first", "between", "second"];
    let size = ("size", int(1));
    let init = ("init", tuple([atom("imports_late"), atom("seen"), list([])]));
    for preload in [vec![], vec![text("imports_late")]] {
        let preload = ("preload", list(preload));
        let mut server = Server::start([size.clone(), preload.clone()]);
        for _ in 0..2 {
            assert_eq!(words(&server.call(("imports_late", "seen"), []).unwrap()), at_once);
        }
        let mut server = Server::start([size.clone(), preload.clone(), init.clone()]);
        assert_eq!(words(&server.call(("registers_late", "seen"), []).unwrap()), at_once);
        let raises = ("env", map([("LATE_RAISES", text("1"))]));
        let mut server = Server::start([size.clone(), preload, raises]);
        let error = server.call(("imports_late", "seen"), []).unwrap_err();
        assert!(error.message().contains("raised by after_fork"), "{error:?}");
    }
    // One that comes while the functions are called has its turn after them.
    let env = ("env", map([("LATE_AFTER_FORK", text("1"))]));
    let mut server = Server::start([size.clone(), ("preload", list([text("imports_late")])), env]);
    let after = ["imported", "between", "imports", "first", "second"];
    assert_eq!(words(&server.call(("imports_late", "seen"), []).unwrap()), after);
    let error = server.call(("registers_late", "registers_a_coroutine_function"), []).unwrap_err();
    assert!(error.message().contains("after_fork takes no coroutine function"), "{error:?}");
    let raises = ("env", map([("LATE_RAISES", text("1"))]));
    assert!(start_error([raises, init]).message().contains("raised by after_fork"));
}
