//! Coroutine functions: one event loop for the whole life of a worker. docs/worker_protocol.md 8.

use std::fs;
use std::thread;

use eetf::Term;

use crate::harness::term::{atom, elements, int, list, map, string, text, tuple};
use crate::harness::{Server, Signpost, pythons};

const MODULE: &str = "coroutines";

fn start<'a>(options: impl IntoIterator<Item = (&'a str, Term)>) -> Server {
    // What Python warns of would be an error here.
    let strict = ("env", map([("PYTHONWARNINGS", text("error"))]));
    Server::start([("size", int(1)), ("wait", atom("all")), strict].into_iter().chain(options))
}

fn call(server: &mut Server, function: &str) -> Term {
    server.call((MODULE, function), []).unwrap()
}

fn words(term: &Term) -> Vec<String> {
    elements(term).iter().map(string).collect()
}

fn is_true(term: &Term) -> bool {
    *term == atom("true")
}

#[test]
fn what_a_coroutine_makes_is_there_for_the_next_one() {
    let init = tuple([atom(MODULE), atom("set_up"), list([text("from init")])]);
    for preload in [vec![], vec![text(MODULE)]] {
        let mut server = start([("init", init.clone()), ("preload", list(preload))]);
        for _ in 0..3 {
            let used = call(&mut server, "uses_what_is_kept");
            assert_eq!(used, list([text("from init"), atom("true")]));
        }
        call(&mut server, "serves");
        for line in ["one", "two"] {
            assert_eq!(server.call((MODULE, "asks"), [text(line)]).unwrap(), text(&line.to_uppercase()));
        }
    }
}

#[test]
fn plain_functions_find_the_loop_also_after_one_has_run_or_closed_another() {
    let mut server = start([]);
    let own = call(&mut server, "loop_id");
    for before in ["runs_another", "runs_it_by_itself", "loop_id", "returns_a_future"] {
        call(&mut server, before);
        assert_eq!(call(&mut server, "loop_of_a_plain_function"), own, "after {before}");
        assert_eq!(call(&mut server, "loop_id"), own, "after {before}");
    }
    call(&mut server, "closes_it");
    assert_eq!(call(&mut server, "runs_it_by_itself"), int(5));
    assert_eq!(call(&mut server, "loop_of_a_plain_function"), call(&mut server, "loop_id"));
}

#[test]
fn a_loop_that_is_there_before_the_first_coroutine_is_the_workers() {
    let mut server = Server::start([("size", int(1))]);
    call(&mut server, "makes_a_client_first");
    assert_eq!(call(&mut server, "uses_the_early_one"), text("early"));
    let mut server = Server::start([("size", int(1))]);
    call(&mut server, "installs_a_policy");
    assert!(is_true(&call(&mut server, "policy")));
}

#[test]
fn whatever_can_be_awaited_is() {
    let mut server = start([]);
    call(&mut server, "loop_id");
    for (function, value) in
        [("returns_a_future", "a future"), ("returns_an_awaitable", "an object"), ("of_a_generator", "a generator")]
    {
        assert_eq!(call(&mut server, function), text(value));
    }
    let error = server.call((MODULE, "plain_generator"), []).unwrap_err();
    assert_eq!(error.reason(), "unencodable");
}

#[test]
fn what_a_coroutine_raises_is_the_error_of_its_call_alone() {
    let mut server = start([]);
    let own = call(&mut server, "loop_id");
    for name in ["ValueError", "SystemExit", "KeyboardInterrupt", "CancelledError"] {
        let error = server.call((MODULE, "raises"), [text(name)]).unwrap_err();
        assert_eq!(error.reason(), "exception", "{error:?}");
        assert!(string(&error.detail("type")).ends_with(name), "{error:?}");
        let traceback = string(&error.detail("traceback"));
        // Python 3.9 makes another CancelledError of the one that was raised.
        let whole = name == "CancelledError" || !traceback.contains("base_events");
        assert!(traceback.contains("in raises") && whole, "{traceback}");
        assert_eq!(call(&mut server, "loop_id"), own);
    }
    for name in ["SystemExit", "KeyboardInterrupt"] {
        let error = server.call((MODULE, "a_child_raises"), [text(name)]).unwrap_err();
        assert_eq!(string(&error.detail("type")), name, "{error:?}");
        assert_eq!(words(&call(&mut server, "seen")), ["cancelled"], "it does not go on in a later call");
    }
}

#[test]
fn a_coroutine_whose_time_is_over_is_cancelled_and_is_over_before_the_next_call() {
    let mut server = start([("grace", int(60_000))]);
    let worker = server.call(("echo", "pid"), []).unwrap();
    let path = Signpost::new();
    let limit = [("timeout", int(300))];
    call(&mut server, "loop_id");
    let error = server.call_with((MODULE, "waits"), [path.text()], &limit).unwrap_err();
    assert_eq!(error.reason(), "timeout", "{error:?}");
    assert!(string(&error.detail("type")).ends_with("CancelledError"), "{error:?}");
    assert!(path.is_up());
    assert_eq!(words(&call(&mut server, "seen")), ["cancelled", "cleaned up", "over"]);
    server.call((MODULE, "turns"), [int(10)]).unwrap();
    assert!(words(&call(&mut server, "seen")).is_empty());
    let best = server.call_with((MODULE, "waits_for_the_best"), [], &limit).unwrap();
    assert_eq!(string(&best), "the best so far");
    assert_eq!(server.call(("echo", "pid"), []).unwrap(), worker, "the worker lives");
}

#[test]
fn a_coroutine_that_swallows_its_cancellation_is_cancelled_again_and_one_that_cleans_up_is_not() {
    thread::scope(|scope| {
        for python in pythons() {
            scope.spawn(move || {
                swallows_and_cleans_up(&python);
            });
        }
    });
}

fn swallows_and_cleans_up(python: &str) {
    let mut server = start([("python", text(python))]);
    let worker = server.call(("echo", "pid"), []).unwrap();
    let ends = |server: &mut Server, function: &str, args: Vec<Term>| {
        let limits = [("timeout", int(100)), ("grace", int(2000))];
        let error = server.call_with((MODULE, function), args, &limits).unwrap_err();
        assert_eq!(error.reason(), "timeout", "{python}, {function}: {error:?}");
        assert_eq!(server.call(("echo", "pid"), []).unwrap(), worker, "{python}, {function}: {error:?}");
    };
    call(&mut server, "loop_id");
    ends(&mut server, "swallows", vec![int(2)]);
    assert_eq!(words(&call(&mut server, "seen")), ["swallowed"; 2], "{python}");
    (0..3).for_each(|_| ends(&mut server, "polls", vec![]));
    for how in ["itself", "context", "generator", "another", "task", "wait_for", "gather"] {
        ends(&mut server, "cleans_up", vec![text(how)]);
        assert_eq!(words(&call(&mut server, "seen")), ["cleaned up"], "{python}, {how}");
    }
}

#[test]
fn a_coroutine_that_does_not_wait_and_a_loop_that_a_function_runs_cost_the_worker() {
    let mut server = start([]);
    call(&mut server, "loop_id");
    let worker = server.call(("echo", "pid"), []).unwrap();
    let path = Signpost::new();
    let limit = [("timeout", int(300)), ("grace", int(60_000))];
    let error = server.call_with((MODULE, "runs_forever_by_itself"), [path.text()], &limit).unwrap_err();
    assert_eq!((error.reason(), string(&error.detail("type"))), ("timeout".into(), "KeyboardInterrupt".into()));
    let next = server.call(("echo", "pid"), []).unwrap();
    assert_ne!(next, worker, "what it ran would go on in the loop");
    call(&mut server, "loop_id");
    let limit = [("timeout", int(300)), ("grace", int(100))];
    let error = server.call_with((MODULE, "forever_in_python"), [path.text()], &limit).unwrap_err();
    assert!(string(&error.detail("stacks")).contains("in forever_in_python"), "{error:?}");
    assert_ne!(server.call(("echo", "pid"), []).unwrap(), next);
}

#[test]
fn what_a_call_leaves_in_the_loop_runs_while_the_loop_does() {
    let mut server = start([]);
    call(&mut server, "counts_in_the_background");
    let first = words(&call(&mut server, "seen")).len();
    assert!(first > 0);
    assert!(words(&call(&mut server, "seen")).is_empty(), "not between calls");
    server.call((MODULE, "turns"), [int(10)]).unwrap();
    assert!(words(&call(&mut server, "seen")).len() >= 10);
}

#[test]
fn the_loop_is_closed_properly_when_the_worker_ends() {
    for preload in [vec![], vec![text(MODULE)]] {
        let path = Signpost::new();
        let mut server = start([("preload", list(preload))]);
        server.call((MODULE, "leaves_much"), [path.text()]).unwrap();
        server.drain();
        let (status, log) = server.wait();
        assert!(status.success(), "{log}");
        assert_eq!(fs::read_to_string(path.path()).unwrap(), "task\ngenerator\nat exit\n", "{log}");
        for trouble in ["never awaited", "ResourceWarning", "Traceback", "was destroyed"] {
            assert!(!log.contains(trouble), "{log}");
        }
    }
    let mut server = start([]);
    call(&mut server, "is_stubborn");
    server.drain();
    let (status, log) = server.wait();
    assert!(status.success() && !log.contains("did not"), "{log}");
}

#[test]
fn no_loop_is_forked_and_none_is_made_for_plain_functions() {
    let warmup = ("warmup", tuple([atom(MODULE), atom("warm_up"), list([])]));
    let mut server = start([("size", int(2)), warmup, ("preload", list([text(MODULE)]))]);
    assert_eq!(call(&mut server, "is_warm"), list([atom("true"), atom("true")]));
    assert_eq!(call(&mut server, "loop_of_a_plain_function_after_warmup"), atom("true"));
    let mut server = start([]);
    assert!(!is_true(&server.call(("never_async", "has_asyncio"), []).unwrap()));
}
