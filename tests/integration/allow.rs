//! `allow`: which functions the calls of a pool may name. docs/protocol.md 7.2, docs/security.md.

use crate::harness::term::{atom, element, int, list, name, string, text};
use crate::harness::{Failure, Server};

fn patterns(patterns: &[&str]) -> (&'static str, eetf::Term) {
    ("allow", list(patterns.iter().map(|pattern| text(pattern))))
}

#[test]
fn calls_of_functions_that_are_not_allowed_are_denied_and_nothing_is_imported_for_them() {
    let mut server = Server::start([("size", int(1)), patterns(&["operator:*", "os.path:join", "echo:p*"])]);
    assert_eq!(server.call(("operator", "neg"), [int(0)]), Ok(int(0)));
    assert_eq!(server.call(("os.path", "join"), [text("a"), text("b")]), Ok(text("a/b")));
    server.call(("echo", "pid"), []).unwrap();
    for function in
        [("os", "system"), ("os", "path.join"), ("echo", "echo"), ("echo", "os.system"), ("raises_at_import", "f")]
    {
        let error = server.call(function, [text("true")]).unwrap_err();
        assert_eq!((error.reason(), error.phase(), error.blame()), ("denied".into(), "call".into(), "caller".into()));
        assert_eq!(
            (string(&error.detail("module")), string(&error.detail("function"))),
            (function.0.into(), function.1.into())
        );
    }
    // A large packet is read on another thread, and by the same rules.
    let error = server.call(("os", "system"), [text(&"x".repeat(1 << 20))]).unwrap_err();
    assert_eq!(error.reason(), "denied");
}

#[test]
fn init_and_warmup_are_the_pools_own_and_an_empty_list_allows_nothing() {
    let init = eetf::Tuple::from(vec![atom("starts"), text("set_up"), list([text("b")])]).into();
    let mut server = Server::start([("size", int(1)), ("init", init), patterns(&[])]);
    assert_eq!(server.call(("starts", "what_was_done"), []).unwrap_err().reason(), "denied");
}

#[test]
fn what_is_no_list_of_patterns_is_refused() {
    for value in [text("os:*"), list([text("os")]), list([text(":f")]), list([int(1)])] {
        let mut server = Server::silent();
        server.hello([("allow", value)]);
        let reply = server.receive();
        assert_eq!(name(&reply), "error");
        let error = Failure::of(element(&reply, 1));
        assert_eq!((error.reason(), string(&error.detail("option"))), ("bad_request".into(), "allow".into()));
        assert!(error.message().contains("module:function"), "{error:?}");
    }
}
