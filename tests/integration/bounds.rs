//! Resource limits and privileges of workers, and of everything they start. docs/protocol.md 7.2.

use eetf::Term;

use crate::harness::term::{atom, element, elements, get, int, list, map, number, text};
use crate::harness::{Failure, Server, Signpost};

/// Pools whose workers are started on their own, and forked from a template.
fn both_ways() -> [Term; 2] {
    [list([]), list([text("bounded")])]
}

fn pool<'a>(preload: Term, options: impl IntoIterator<Item = (&'a str, Term)>) -> Server {
    let own = [("size", int(1)), ("preload", preload)];
    Server::start(own.into_iter().chain(options))
}

#[test]
fn with_no_new_privs_nothing_that_a_worker_starts_gets_more_rights() {
    for preload in both_ways() {
        let mut server = pool(preload.clone(), [("no_new_privs", atom("true"))]);
        let own = elements(&server.call(("bounded", "no_new_privs"), []).unwrap());
        assert_eq!(own, [int(1), int(1), int(1)]);
        let mut server = pool(preload, []);
        let own = elements(&server.call(("bounded", "no_new_privs"), []).unwrap());
        assert_eq!(own, [int(0), int(0), int(0)], "it is not the default");
    }
}

#[test]
fn rlimits_bind_workers_and_what_they_start() {
    let limits = || ("rlimits", map([("nofile", int(100)), ("core", int(0))]));
    for preload in both_ways() {
        let mut server = pool(preload, [limits()]);
        for (name, most) in [("nofile", 100), ("core", 0)] {
            let seen = elements(&server.call(("bounded", "limit"), [text(name)]).unwrap());
            assert_eq!(seen, [int(most), int(most), int(most), int(most)], "{name}");
        }
    }
}

#[test]
fn a_file_beyond_fsize_is_an_exception_and_a_call_beyond_cpu_ends_its_worker() {
    let path = Signpost::new();
    let mut server = pool(list([]), [("rlimits", map([("fsize", int(1000)), ("cpu", int(1))]))]);
    assert_eq!(server.call(("bounded", "writes"), [path.text(), int(1000)]), Ok(atom("nil")));
    let error = server.call(("bounded", "writes"), [path.text(), int(1001)]).unwrap_err();
    assert!(error.message().contains("File too large"), "{error:?}");
    let error = server.call(("bounded", "spins"), []).unwrap_err();
    assert_eq!((error.reason(), number(&error.detail("signal"))), ("worker_exit".into(), 9), "{error:?}");
}

#[test]
fn rlimits_that_no_worker_could_have_are_refused() {
    for value in [
        atom("core"),
        map([("data", int(1 << 30))]),
        map([("no_such_limit", int(1))]),
        map([("core", atom("infinity"))]),
        map([("core", int(1 << 63))]),
    ] {
        let mut server = Server::silent();
        server.hello([("rlimits", value.clone())]);
        let error = Failure::of(element(&server.receive(), 1));
        assert_eq!((error.reason(), error.detail("option")), ("bad_request".into(), text("rlimits")), "{value}");
        assert!(error.message().contains("must be a map from as, core, cpu"), "{}", error.message());
    }
}

#[test]
fn a_limit_under_which_a_worker_cannot_get_ready_is_a_start_error() {
    let options = [("rlimits", map([("nofile", int(1))])), ("wait", atom("none"))];
    let mut server = pool(list([text("bounded")]), options);
    let status = server.wait_for_status("a start error", |status| get(status, "last_start_error") != atom("nil"));
    let error = Failure::of(get(&status, "last_start_error"));
    assert!(error.message().contains("Too many open files"), "{error:?}");
}
