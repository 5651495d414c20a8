//! What a call names: only what is plainly not there is `undef`. docs/protocol.md 9.

use crate::harness::term::{int, string, text};
use crate::harness::{Server, pythons};

#[test]
fn only_a_name_that_is_plainly_missing_is_undef_and_an_error_of_the_lookup_is_an_exception() {
    for python in pythons() {
        let mut server = Server::start([("size", int(1)), ("python", text(&python))]);
        for function in ["there", "Thing.method"] {
            assert!(server.call(("looked_up", function), []).is_ok(), "{function}");
        }
        for function in
            ["missing", "delegated_and_missing", "Thing.missing", "Thing.method.missing", "instance.missing"]
        {
            let error = server.call(("looked_up", function), []).unwrap_err();
            assert_eq!(error.reason(), "undef", "{python}, {function}: {error:?}");
        }
        for (function, kind, says) in [
            ("broken", "AttributeError", "return None.part"),
            ("nothing", "AttributeError", "return None.nothing"),
            ("lazy", "ModuleNotFoundError", "import module_that_is_not_there"),
            ("lazy_as_attribute", "AttributeError", "import module_that_is_not_there"),
            ("deep", "AttributeError", "the settings are not loaded"),
            ("Thing.of_meta", "AttributeError", "return None.part"),
            ("Thing.raises", "ZeroDivisionError", "of_meta"),
            ("instance.of_instance", "AttributeError", "return None.part"),
        ] {
            let error = server.call(("looked_up", function), []).unwrap_err();
            let told = (error.reason(), string(&error.detail("type")));
            assert_eq!(told, ("exception".into(), kind.into()), "{python}, {function}: {error:?}");
            let traceback = string(&error.detail("traceback"));
            assert!(
                traceback.contains("looked_up.py") && traceback.contains(says),
                "{python}, {function}: {traceback}"
            );
        }
        for (module, reason) in [
            ("not_there", "undef"),
            ("looked_up.not_there", "undef"),
            ("imports_its_own_name", "exception"),
            ("imports_its_own_name.part", "exception"),
            ("imports_what_is_missing", "exception"),
        ] {
            let error = server.call((module, "function"), []).unwrap_err();
            assert_eq!(error.reason(), reason, "{python}, {module}: {error:?}");
        }
    }
}

#[test]
fn a_function_that_is_there_and_takes_other_arguments_is_not_what_was_meant() {
    let mut server = Server::start([("size", int(1))]);
    let error = server.call(("echo", "echo"), []).unwrap_err();
    assert_eq!((error.reason(), string(&error.detail("hint"))), ("undef".into(), String::new()));
    assert!(error.message().contains("does not take these arguments"), "{error:?}");
}
