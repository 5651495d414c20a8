//! Processes that a function forks are copies of the worker and no workers: docs/worker_protocol.md 1.7.

use eetf::Term;

use crate::harness::term::{atom, elements, int, list, map, string, text, tuple};
use crate::harness::{Server, Signpost};

/// What a copy does, and the status with which it must end: that of a program which does the same.
const ENDS: [(&str, i32); 10] = [
    ("returns", 0),
    ("raises", 1),
    ("interrupted", -2),
    ("exits", 0),
    ("exits_7", 7),
    ("exits_with_minus_1", 255),
    ("exits_with_text", 1),
    ("prints", 0),
    ("forks_again", 9),
    ("opens_many", 0),
];

fn start<'a>(options: impl IntoIterator<Item = (&'a str, Term)>) -> Server {
    Server::start([("size", int(1)), ("wait", atom("all"))].into_iter().chain(options))
}

fn pid(server: &mut Server) -> Term {
    server.call(("echo", "pid"), []).unwrap()
}

fn number(status: i32) -> Term {
    eetf::FixInteger::from(status).into()
}

/// What the server has logged until its end.
fn log(mut server: Server) -> String {
    server.close_stdin();
    server.wait().1
}

#[test]
fn a_copy_ends_where_its_function_ends_with_the_status_of_python() {
    let mut server = start([]);
    let worker = pid(&mut server);
    for (how, status) in ENDS {
        // C code that forks does not tell Python, whose signal handlers stay.
        let functions = ["ends", "ends_in_a_coroutine", "ends_in_c"];
        for function in functions.into_iter().take(if how == "interrupted" { 2 } else { 3 }) {
            assert_eq!(server.call(("forks", function), [text(how)]).unwrap(), number(status), "{function} {how}");
        }
    }
    assert_eq!(pid(&mut server), worker);
    let log = log(server);
    for said in ["ValueError: raised in a copy", "a copy says why", "printed by a copy", "said by a copy"] {
        assert!(log.contains(said), "{said}: {log}");
    }
    assert!(!log.contains("_worker.py"), "its traceback begins where the function does: {log}");
}

#[test]
fn a_copy_that_a_thread_or_a_terminal_has_ends_there() {
    let mut server = start([]);
    let worker = pid(&mut server);
    for how in ["returns", "prints", "raises"] {
        assert_eq!(server.call(("forks", "ends_in_a_thread"), [text(how)]).unwrap(), list([int(0)]), "{how}");
    }
    let on_terminal = server.call(("forks", "ends_on_a_terminal"), []).unwrap();
    assert_eq!(on_terminal, list([text("on a terminal"), int(0)]));
    assert_eq!(server.call(("forks", "ends"), [text("leaves_a_thread")]).unwrap(), int(0));
    assert_eq!(pid(&mut server), worker);
    let log = log(server);
    assert!(log.contains("printed by a copy") && log.contains("from a thread of a copy"), "{log}");
}

#[test]
fn a_copy_that_ends_later_touches_no_other_call() {
    let mut server = start([]);
    let worker = pid(&mut server);
    for (how, status) in ENDS {
        assert!(server.call(("forks", "begins_one_that_waits"), [text(how)]).is_ok());
        assert_eq!(server.call(("forks", "lets_it_go"), []).unwrap(), number(status), "{how}");
    }
    for by in ["python", "c"] {
        assert_eq!(server.call(("forks", "encoded"), [text(by)]).unwrap(), int(0), "an encoder has forked");
        server.call(("forks", "at_a_signal"), [text(by)]).unwrap();
        while elements(&server.call(("forks", "at_the_signal"), []).unwrap()) != [int(0)] {}
    }
    assert_eq!(pid(&mut server), worker);
}

#[test]
fn what_runs_at_exit_runs_in_the_worker_and_in_no_copy() {
    let path = Signpost::new();
    let mut server = start([]);
    let worker = number_of(&pid(&mut server));
    server.call(("forks", "at_exit"), [path.text()]).unwrap();
    for how in ["returns", "raises", "exits_7"] {
        server.call(("forks", "ends"), [text(how)]).unwrap();
    }
    assert!(!path.is_up());
    server.drain();
    let (status, _) = server.wait();
    assert!(status.success());
    assert_eq!(std::fs::read_to_string(path.path()).unwrap(), format!("{worker}\n"));
}

fn number_of(term: &Term) -> u64 {
    crate::harness::term::number(term)
}

#[test]
fn processes_of_multiprocessing_work_on() {
    let mut server = start([]);
    let answer = server.call(("forks", "ends_in_a_pool"), [list([text("a"), text("b")])]).unwrap();
    assert_eq!(elements(&answer).iter().map(string).collect::<Vec<_>>(), ["A", "B"]);
    let answer = server.call(("forks", "ends_in_a_pool"), [list([text("c")])]).unwrap();
    assert_eq!(elements(&answer).iter().map(string).collect::<Vec<_>>(), ["C"]);
}

#[test]
fn a_copy_that_is_made_while_a_worker_gets_ready_is_none() {
    let call = |how| tuple([atom("forks"), atom("forks_at_start"), list([text(how)])]);
    let env = ("env", map([("FORKS_AFTER_FORK", text("1"))]));
    for how in ["returns", "raises", "exits_7"] {
        let status = number(ENDS.iter().find(|(name, _)| *name == how).unwrap().1);
        let mut server = start([("init", call(how)), env.clone()]);
        assert_eq!(
            server.call(("forks", "at_start"), []).unwrap(),
            list([int(0), status.clone()]),
            "{how}: after_fork, init"
        );
        let preload = ("preload", list([text("forks"), text("copies_at_import")]));
        let mut server = start([preload, ("init", call(how)), ("warmup", call(how)), env.clone()]);
        let seen = server.call(("forks", "at_start"), []).unwrap();
        assert_eq!(seen, list([status.clone(), int(0), status]), "{how}: warmup, after_fork, init");
        assert_eq!(server.call(("copies_at_import", "seen"), []).unwrap(), int(0));
        assert!(!log(server).contains("without a template"));
    }
}

#[test]
fn a_copy_that_is_made_in_an_import_ends_with_it() {
    for (raises, status) in [("", 0), ("1", 1)] {
        let env = ("env", map([("COPY_RAISES", text(raises))]));
        for preload in [vec![], vec![text("copies_at_import")]] {
            let mut server = start([env.clone(), ("preload", list(preload))]);
            let worker = pid(&mut server);
            assert_eq!(server.call(("copies_at_import", "seen"), []).unwrap(), number(status));
            assert_eq!(pid(&mut server), worker);
        }
    }
}
