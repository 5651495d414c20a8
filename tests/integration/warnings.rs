//! Filters of the user that make errors of warnings: our code raises none.

use std::collections::HashMap;

use eetf::Term;

use crate::harness::term::{atom, int, list, string, text};
use crate::harness::{Server, pythons};

#[test]
fn workers_and_templates_start_and_tell_errors_whatever_the_warning_filters() {
    for python in pythons() {
        for (template, own) in [(false, ""), (true, ""), (false, "strict"), (true, "strict")] {
            let case = format!("{python}, template: {template}, {own}");
            let variables = ["PYTHONWARNINGS=error", "PYTHONWARNDEFAULTENCODING=1", "PYTHONDEVMODE=1"];
            let env: HashMap<Term, Term> = variables
                .iter()
                .filter(|_| own.is_empty())
                .map(|variable| variable.split_once('=').unwrap())
                .map(|(name, value)| (text(name), text(value)))
                .collect();
            let preload =
                list(template.then(|| text("shadowed")).into_iter().chain((!own.is_empty()).then(|| text(own))));
            let options = [
                ("size", int(1)),
                ("python", text(&python)),
                ("env", eetf::Map::from(env).into()),
                ("preload", preload),
            ];
            let mut server = Server::start(options);
            assert_eq!(server.call(("echo", "echo"), [atom("fine")]), Ok(atom("fine")), "{case}");
            assert_eq!(server.call(("shadowed", "awaited"), [int(7)]), Ok(int(7)), "{case}");
            for (function, args, reason) in [
                ("fails", vec![text("oh")], "exception"),
                ("fails_awaited", vec![text("oh")], "exception"),
                ("unencodable", vec![], "unencodable"),
                ("takes", vec![], "undef"),
                ("take", vec![], "undef"),
            ] {
                let error = server.call(("shadowed", function), args).unwrap_err();
                assert_eq!(error.reason(), reason, "{case}, {function}: {error:?}");
                if reason == "exception" {
                    assert_eq!(error.message(), "ValueError: oh", "{case}, {function}");
                    assert!(string(&error.detail("traceback")).contains("raise ValueError(text)"), "{case}");
                }
            }
            server.close_stdin();
            let (_, log) = server.wait();
            assert!(!log.contains("Warning"), "{case}: {log}");
        }
    }
}
