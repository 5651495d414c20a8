//! A worker that is interrupted while something is imported has half a module, and is replaced. docs/worker_protocol.md 4.4.

use eetf::Term;

use crate::harness::term::{atom, int, map, string, text};
use crate::harness::{Server, Signpost};

const WAYS: [&str; 8] =
    ["by_statement", "by_function", "by_name", "by_c", "by_spec", "by_lazy_loader", "reloads", "in_a_thread"];

/// The import hangs once, and never again.
fn start(path: &Signpost) -> Server {
    let env = map([("SLOW_IMPORT", path.text())]);
    Server::start([("size", int(1)), ("grace", int(60_000)), ("env", env), ("wait", atom("all"))])
}

fn pid(server: &mut Server) -> Term {
    server.call(("echo", "pid"), []).unwrap()
}

const LIMIT: [(&str, u64); 1] = [("timeout", 500)];

fn limit() -> [(&'static str, Term); 1] {
    LIMIT.map(|(name, value)| (name, int(value)))
}

#[test]
fn after_an_interrupted_import_the_next_call_finds_a_worker_that_imports_anew() {
    for way in WAYS {
        let path = Signpost::new();
        let mut server = start(&path);
        let worker = pid(&mut server);
        let error = server.call_with(("half_imports", way), [], &limit()).unwrap_err();
        assert_eq!(error.reason(), "timeout", "{way}: {error:?}");
        assert!(path.is_up(), "{way}: the import had begun");
        assert_eq!(server.call(("half_imports", "by_statement"), []).unwrap(), int(3), "{way}");
        assert_ne!(pid(&mut server), worker, "{way}");
        server.close_stdin();
        let (_, log) = server.wait();
        assert!(
            log.contains("the worker is replaced: a call was interrupted while slow_to_import was imported"),
            "{log}"
        );
    }
}

#[test]
fn also_the_module_that_is_called_and_an_interrupt_that_nobody_sees() {
    let path = Signpost::new();
    let mut server = start(&path);
    let worker = pid(&mut server);
    let error = server.call_with(("slow_to_import", "both"), [], &limit()).unwrap_err();
    assert_eq!(error.reason(), "timeout", "{error:?}");
    assert_eq!(server.call(("slow_to_import", "both"), []).unwrap(), int(3));
    assert_ne!(pid(&mut server), worker);
    let path = Signpost::new();
    let mut server = start(&path);
    let worker = pid(&mut server);
    assert_eq!(server.call_with(("half_imports", "swallows"), [], &limit()).unwrap(), text("half"));
    assert_eq!(server.call(("half_imports", "swallows"), []).unwrap(), int(3));
    assert_ne!(pid(&mut server), worker);
}

#[test]
fn without_an_import_under_way_the_worker_lives() {
    let path = Signpost::new();
    let mut server = start(&path);
    let worker = pid(&mut server);
    let error = server.call_with(("half_imports", "after_an_import"), [], &limit()).unwrap_err();
    assert_eq!(string(&error.detail("type")), "KeyboardInterrupt");
    assert_eq!(pid(&mut server), worker);
}

#[test]
fn a_lease_ends_with_the_worker_that_has_half_a_module() {
    let path = Signpost::new();
    let mut server = start(&path);
    let lease = server.request("checkout", [map([])]);
    assert!(server.reply().1.is_ok());
    let in_lease = |limit: u64| [("lease", int(lease)), ("timeout", int(limit))];
    let error = server.call_with(("half_imports", "by_statement"), [], &in_lease(500)).unwrap_err();
    assert_eq!(error.reason(), "timeout", "{error:?}");
    let error = server.call_with(("half_imports", "by_statement"), [], &in_lease(60_000)).unwrap_err();
    assert_eq!(error.reason(), "lease_lost", "{error:?}");
    assert_eq!(server.call(("half_imports", "by_statement"), []).unwrap(), int(3));
}
