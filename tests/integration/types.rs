//! docs/types.md through the real program: the options about values, of the pool and of a call.

use eetf::Term;

use crate::harness::term::{atom, int, list, map, text, tuple};
use crate::harness::{Server, Signpost};

fn binary(bytes: &[u8]) -> Term {
    eetf::Binary::from(bytes.to_vec()).into()
}

fn map_of(key: Term, value: Term) -> Term {
    eetf::Map::from([(key, value)]).into()
}

/// `%Portpool.Bytes{}`, as Elixir and Erlang write it.
fn wrapped(bytes: &[u8]) -> Term {
    map([("__struct__", atom("Elixir.Portpool.Bytes")), ("binary", binary(bytes))])
}

/// What Python says the value is.
fn repr(server: &mut Server, value: Term, opts: &[(&str, Term)]) -> String {
    let told = server.call_with(("builtins", "ascii"), [value], opts).unwrap();
    match told {
        Term::Binary(binary) => String::from_utf8(binary.bytes).unwrap(),
        other => panic!("no text: {other}"),
    }
}

#[test]
fn binaries_are_str_or_bytes_as_the_call_or_the_pool_says() {
    let value = || list([binary(b"a"), map_of(binary(b"k"), binary("\u{e9}".as_bytes())), atom("a")]);
    let (as_str, as_bytes) = ("['a', {'k': '\\xe9'}, Atom('a')]", "[b'a', {b'k': b'\\xc3\\xa9'}, Atom('a')]");
    let mut server = Server::start([("size", int(1))]);
    assert_eq!(repr(&mut server, value(), &[]), as_str, "str is the default");
    assert_eq!(repr(&mut server, value(), &[("binaries", atom("bytes"))]), as_bytes);
    let mut server = Server::start([("size", int(1)), ("binaries", atom("bytes"))]);
    assert_eq!(repr(&mut server, value(), &[]), as_bytes);
    assert_eq!(repr(&mut server, value(), &[("binaries", atom("str"))]), as_str, "the call has the last word");
    assert_eq!(server.call(("echo", "echo"), [value()]), Ok(value()));
}

#[test]
fn a_binary_that_is_not_utf8_has_an_address_and_two_cures() {
    let mut server = Server::start([("size", int(1))]);
    let value = || map_of(text("stops"), list([text("ok"), binary(&[1, 255])]));
    let failure = server.call(("echo", "echo"), [value()]).unwrap_err();
    assert_eq!((failure.reason(), failure.blame()), ("unencodable".into(), "caller".into()));
    assert_eq!(failure.detail("path"), text("argument 1, key \"stops\", element 2"));
    assert!(failure.message().ends_with("wrap it with Portpool.bytes/1 or set binaries: :bytes"), "{failure:?}");
    assert_eq!(server.call_with(("echo", "echo"), [value()], &[("binaries", atom("bytes"))]), Ok(value()));
    assert_eq!(server.call(("echo", "echo"), [wrapped(&[1, 255])]), Ok(binary(&[1, 255])));
}

#[test]
fn a_wrapped_binary_is_bytes_at_any_depth_whatever_the_options() {
    let mut server = Server::start([("size", int(1))]);
    let value = || {
        list([
            tuple([wrapped(b"v"), text("s")]),
            map_of(wrapped(b"k"), wrapped(b"")),
            map_of(tuple([wrapped(b"t")]), int(1)),
        ])
    };
    let told = "[(b'v', 's'), {b'k': b''}, {(b't',): 1}]";
    assert_eq!(repr(&mut server, value(), &[]), told);
    assert_eq!(repr(&mut server, value(), &[("binaries", atom("bytes"))]), told.replace("'s'", "b's'"));
    let kwargs = map([("key", wrapped(b"v"))]);
    let keywords = server.call_with(("echo", "keywords"), [], &[("kwargs", kwargs)]);
    assert_eq!(
        keywords,
        Ok(list([list([]), map_of(text("key"), binary(b"v"))])),
        "keywords are str, their values are values"
    );
    // Any other map is a dict.
    let more = || map([("__struct__", atom("Elixir.Portpool.Bytes")), ("binary", text("a")), ("more", int(1))]);
    let other = || map([("__struct__", atom("Elixir.Other")), ("binary", text("a"))]);
    let odd = || map([("__struct__", atom("Elixir.Portpool.Bytes")), ("binary", int(1))]);
    for value in [more(), other(), odd()] {
        assert_eq!(server.call(("echo", "echo"), [value.clone()]), Ok(value));
    }
}

#[test]
fn none_is_nil_or_undefined_as_the_call_or_the_pool_says_and_the_other_is_an_atom() {
    let value = || list([atom("nil"), atom("undefined"), map_of(atom("undefined"), atom("nil"))]);
    let (elixir, erlang) =
        ("[None, Atom('undefined'), {Atom('undefined'): None}]", "[Atom('nil'), None, {None: Atom('nil')}]");
    let mut server = Server::start([("size", int(1))]);
    let undefined = [("none", atom("undefined"))];
    assert_eq!(repr(&mut server, value(), &[]), elixir);
    assert_eq!(repr(&mut server, value(), &undefined), erlang);
    assert_eq!(server.call(("echo", "echo"), [value()]), Ok(value()));
    assert_eq!(server.call_with(("echo", "echo"), [value()], &undefined), Ok(value()));
    assert_eq!(server.call_with(("builtins", "print"), [], &undefined), Ok(atom("undefined")));
    assert_eq!(server.call(("builtins", "print"), []), Ok(atom("nil")));
    let mut server = Server::start([("size", int(1)), ("none", atom("undefined"))]);
    assert_eq!(server.call(("builtins", "print"), []), Ok(atom("undefined")));
    assert_eq!(server.call_with(("builtins", "print"), [], &[("none", atom("nil"))]), Ok(atom("nil")));
}

#[test]
fn max_frame_of_a_call_limits_its_reply_and_no_other() {
    let mut server = Server::start([("size", int(1)), ("max_frame", int(1 << 20))]);
    let multiply = |server: &mut Server, size: u64, opts: &[(&str, Term)]| {
        server.call_with(("operator", "mul"), [text("z"), int(size)], opts)
    };
    let small = [("max_frame", int(1024))];
    let failure = multiply(&mut server, 1024, &small).unwrap_err();
    assert_eq!((failure.reason(), failure.phase()), ("too_large".into(), "reply".into()));
    assert!(multiply(&mut server, 900, &small).is_ok());
    assert!(multiply(&mut server, 5000, &[]).is_ok(), "the pool's limit holds again");
    assert!(
        server.call_with(("builtins", "len"), [text(&"x".repeat(5000))], &small).is_ok(),
        "a request is not limited"
    );
    let failure = multiply(&mut server, 1, &[("max_frame", int((1 << 20) + 1))]).unwrap_err();
    assert_eq!((failure.reason(), failure.detail("option")), ("bad_request".into(), text("max_frame")));
    assert!(failure.message().contains("a number of bytes, 1024 to 1048576, not 1048577"), "{failure:?}");
}

#[test]
fn wrong_choices_are_named() {
    let mut server = Server::start([("size", int(1))]);
    for (option, says) in [("binaries", "must be str or bytes"), ("none", "must be nil or undefined")] {
        let failure = server.call_with(("echo", "echo"), [int(1)], &[(option, atom("null"))]).unwrap_err();
        assert_eq!((failure.reason(), failure.detail("option")), ("bad_request".into(), text(option)));
        assert!(failure.message().contains(says), "{failure:?}");
    }
}

#[test]
fn what_a_function_gets_may_be_pickled_copied_and_sent_to_processes_of_its_own() {
    let mut server = Server::start([("size", int(1))]);
    let value = || list([atom("ok"), tuple([atom("a"), wrapped(b"b")]), map_of(atom("k"), atom("v"))]);
    let plain = || list([text("ok"), tuple([text("a"), binary(b"b")]), map_of(text("k"), text("v"))]);
    assert_eq!(server.call(("copies", "names_us"), [value()]), Ok(atom("false")));
    assert_eq!(server.call(("copies", "deep"), [value()]), Ok(atom("true")));
    for method in ["spawn", "forkserver"] {
        assert_eq!(server.call(("copies", "in_a_process"), [text(method), value()]), Ok(plain()), "{method}");
    }
    assert_eq!(server.call(("copies", "in_a_queue"), [value()]), Ok(plain()));
    let shelf = Signpost::new();
    std::fs::create_dir(shelf.path()).unwrap();
    let path = text(shelf.path().join("shelf").to_str().unwrap());
    assert_eq!(server.call(("copies", "on_a_shelf"), [path, value()]), Ok(plain()));
    let json = server.call(("copies", "as_json"), [map_of(atom("k"), list([atom("v")]))]);
    assert_eq!(json, Ok(text("{\"k\": [\"v\"]}")));
    // The codes of the channel do not depend on what was pickled before.
    assert_eq!(
        server.call(("echo", "echo"), [value()]),
        Ok(list([atom("ok"), tuple([atom("a"), binary(b"b")]), map_of(atom("k"), atom("v"))]))
    );
}
