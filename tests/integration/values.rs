//! Results whose own methods raise, and results and errors that are deeper than C code can bear. docs/types.md 1.4 and 2.2.

use crate::harness::term::{elements, int, number, string, text};
use crate::harness::{Server, pythons};
use eetf::Term;

fn start(python: &str) -> Server {
    Server::start([("size", int(1)), ("python", text(python))])
}

fn pid(server: &mut Server) -> u64 {
    number(&server.call(("echo", "pid"), []).unwrap())
}

#[test]
fn a_value_whose_own_methods_raise_is_unencodable_and_has_a_path() {
    for python in pythons() {
        let mut server = start(&python);
        let before = pid(&mut server);
        let names = elements(&server.call(("lies", "names"), []).unwrap());
        assert!(names.len() > 10);
        for name in names {
            let case = format!("{python}, {}", string(&name));
            let error = server.call(("lies", "value"), [name]).unwrap_err();
            assert_eq!(error.reason(), "unencodable", "{case}: {error:?}");
            let path = string(&error.detail("path"));
            assert!(
                ["element 1", "key ", "somewhere in the result"].iter().any(|start| path.starts_with(start)),
                "{case}: {error:?}"
            );
            assert!(error.message().contains(&path) && error.message().len() < 2000, "{case}: {error:?}");
        }
        assert_eq!(pid(&mut server), before);
    }
}

#[test]
fn an_exception_whose_class_does_not_let_itself_be_asked_is_told_all_the_same() {
    for python in pythons() {
        let mut server = start(&python);
        let error = server.call(("lies", "raises_hostile"), []).unwrap_err();
        assert_eq!((error.reason(), error.message()), ("exception".into(), "Hostile: told".into()), "{python}");
        assert!(string(&error.detail("type")).contains("Hostile"), "{python}: {error:?}");
        let traceback = string(&error.detail("traceback"));
        assert!(traceback.contains("lies.py\", line ") && traceback.contains("in raises_hostile"), "{traceback}");
    }
}

#[test]
fn the_depth_of_results_and_errors_has_a_limit_that_no_function_can_lift() {
    for python in pythons() {
        let mut server = start(&python);
        let before = pid(&mut server);
        let deep = |kind: &str, depth| -> [Term; 2] { [text(kind), int(depth)] };
        for kind in ["list", "tuple", "dict", "dataclass", "encoder"] {
            let error = server.call(("lies", "deep"), deep(kind, 100_000)).unwrap_err();
            assert_eq!(error.reason(), "unencodable", "{python}, {kind}");
            assert!(error.message().contains("nests deeper than 400 levels"), "{python}, {kind}: {}", error.message());
            assert!(!string(&error.detail("path")).is_empty(), "{python}, {kind}");
            server.call(("lies", "deep"), deep(kind, 100)).unwrap();
        }
        server.call(("lies", "deep"), deep("list", 399)).unwrap();
        assert_eq!(number(&server.call(("lies", "limit"), []).unwrap()), 1_000_000, "it is the function's again");
        let error = server.call(("lies", "causes"), [int(20_000)]).unwrap_err();
        assert_eq!((error.reason(), error.message()), ("exception".into(), "ValueError: later".into()), "{python}");
        assert!(string(&error.detail("traceback")).contains("in causes"), "{python}: {error:?}");
        let error = server.call(("lies", "deep_argument"), [int(100_000)]).unwrap_err();
        assert_eq!((error.reason(), string(&error.detail("type"))), ("exception".into(), "ValueError".into()));
        assert_eq!(pid(&mut server), before, "{python}");
    }
}

#[test]
fn an_error_has_its_traceback_where_what_describes_it_fails() {
    for python in pythons() {
        let names = elements(&start(&python).call(("lies", "troubles"), []).unwrap());
        assert!(names.len() > 5);
        for name in names {
            let case = format!("{python}, {}", string(&name));
            let mut server = start(&python);
            let error = server.call(("lies", "raises_beside"), [name]).unwrap_err();
            assert_eq!(error.reason(), "exception", "{case}: {error:?}");
            let traceback = string(&error.detail("traceback"));
            let frames = elements(&error.detail("frames"));
            assert!(traceback.contains("lies.py\", line ") && !frames.is_empty(), "{case}: {error:?}");
            assert!(traceback.contains(", in raises_beside"), "{case}: {traceback}");
            // It is one of each module, whatever was done to `sys.modules`.
            let error = server.call(("lies", "value"), [text("value")]).unwrap_err();
            assert_eq!(error.reason(), "unencodable", "{case}: {error:?}");
        }
    }
}
