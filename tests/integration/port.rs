//! docs/protocol.md through the real program: bytes in, bytes out.

use eetf::Term;

use crate::harness::term::{
    atom, atom_name, count, element, elements, encode, get, int, list, map, name, string, text, tuple,
};
use crate::harness::{Failure, Server, python};

#[test]
fn hello_is_answered_by_ready_with_what_the_pool_is() {
    let mut server = Server::silent();
    server.hello([("size", int(2)), ("max_overflow", int(3))]);
    let ready = server.receive();
    assert_eq!(name(&ready), "ready");
    let info = element(&ready, 2);
    assert_eq!(element(&ready, 1), int(1));
    assert_eq!(count(&info, "size"), 2);
    assert_eq!(count(&info, "max_overflow"), 3);
    assert_eq!(count(&info, "pid"), u64::from(server.pid()));
    assert_eq!(count(&info, "max_frame"), 64 << 20);
    assert!(count(&info, "workers_ready") >= 1, "wait is first: {info}");
    assert_eq!(string(&get(&info, "version")), env!("CARGO_PKG_VERSION"));
    assert_eq!(string(&get(&get(&info, "python"), "executable")), python());
    let features: Vec<String> = elements(&get(&info, "features")).iter().map(atom_name).collect();
    let known = ["call", "cancel", "checkout", "checkin", "resize", "reload", "drain", "flush", "status", "ping"];
    assert_eq!(features, known);
}

#[test]
fn wait_all_and_wait_none_are_kept() {
    let mut server = Server::silent();
    server.hello([("size", int(3)), ("wait", atom("all"))]);
    assert_eq!(count(&element(&server.receive(), 2), "workers_ready"), 3);
    let mut server = Server::silent();
    server.hello([("size", int(1)), ("wait", atom("none"))]);
    assert_eq!(name(&server.receive()), "ready");
    assert_eq!(server.call(("math", "isqrt"), [int(16)]).unwrap(), int(4));
}

#[test]
fn a_call_made_before_ready_is_served() {
    let mut server = Server::silent();
    server.hello([("size", int(1))]);
    let id = server.cast(("operator", "add"), [int(1), int(2)], &[]);
    assert_eq!(name(&server.receive()), "ready");
    assert_eq!(server.reply(), (id, Ok(int(3))));
}

#[test]
fn each_reply_begins_with_the_prefix_that_routes_it() {
    let mut server = Server::start([("size", int(1))]);
    for id in [0, 1, 255, 256, 1 << 32, u64::MAX] {
        server.send(&tuple([atom("call"), int(id), atom("operator"), atom("neg"), list([int(0)]), map([])]));
        let mut expected = vec![131, 104, 3, 119, 5];
        expected.extend_from_slice(b"reply");
        expected.extend_from_slice(&[110, 8, 0]);
        expected.extend_from_slice(&id.to_le_bytes());
        let packet = server.receive_packet();
        assert_eq!(packet[..expected.len()], expected, "docs/protocol.md 3.2");
        assert_eq!(packet[expected.len()..], [104, 2, 119, 2, b'o', b'k', 97, 0]);
    }
}

#[test]
fn module_and_function_may_be_atom_binary_or_charlist_and_dotted() {
    let mut server = Server::start([("size", int(1))]);
    let charlist = |text: &str| Term::from(eetf::ByteList { bytes: text.as_bytes().to_vec() });
    let mut call = |module: Term, function: Term| {
        server.send(&tuple([atom("call"), int(9), module, function, list([text("a/b")]), map([])]));
        server.reply().1.unwrap()
    };
    assert_eq!(call(text("os.path"), text("basename")), text("b"));
    assert_eq!(call(atom("os"), atom("path.basename")), text("b"));
    assert_eq!(call(charlist("builtins"), charlist("str.upper")), text("A/B"));
}

#[test]
fn arguments_by_keyword_arrive_as_such() {
    let mut server = Server::start([("size", int(1))]);
    let kwargs = map([("seed", int(7))]);
    let result = server.call_with(("echo", "keywords"), [int(1)], &[("kwargs", kwargs)]).unwrap();
    let [args, kwargs] = elements(&result).try_into().unwrap();
    assert_eq!(encode(&args)[1..], encode(&list([int(1)]))[1..]);
    assert_eq!(kwargs, Term::from(eetf::Map::from([(text("seed"), int(7))])));
}

#[test]
fn ping_and_status_answer_while_all_workers_are_busy() {
    let mut server = Server::start([("size", int(1))]);
    let running = server.cast(("echo", "forever"), [], &[]);
    let queued = server.cast(("echo", "forever"), [], &[]);
    assert_eq!(server.ask("ping"), atom("pong"));
    let status = server.status();
    assert_eq!(atom_name(&get(&status, "state")), "full");
    assert_eq!(
        ["idle", "busy", "starting", "stopping", "overflow", "waiting"].map(|key| count(&status, key)),
        [0, 1, 0, 0, 0, 1]
    );
    let worker = elements(&get(&status, "workers")).remove(0);
    assert_eq!(atom_name(&get(&worker, "state")), "busy");
    for id in [queued, running] {
        server.send(&tuple([atom("cancel"), int(id)]));
        let (to, result) = server.reply();
        assert_eq!((to, result.unwrap_err().reason()), (id, "cancelled".to_owned()));
    }
}

#[test]
fn a_cancelled_call_ends_once_and_its_worker_is_gone() {
    let mut server = Server::start([("size", int(1))]);
    let pid = server.call(("echo", "pid"), []).unwrap();
    let id = server.cast(("echo", "forever"), [], &[]);
    server.wait_for_status("the call runs", |status| count(status, "busy") == 1);
    for _ in 0..2 {
        server.send(&tuple([atom("cancel"), int(id)]));
    }
    server.send(&tuple([atom("cancel"), int(777)]));
    let (to, result) = server.reply();
    let failure = result.unwrap_err();
    assert_eq!(
        (to, failure.reason(), failure.phase(), failure.blame()),
        (id, "cancelled".into(), "call".into(), "caller".into())
    );
    crate::harness::processes::assert_dies(u32::try_from(crate::harness::term::number(&pid)).unwrap());
    assert_ne!(server.call(("echo", "pid"), []).unwrap(), pid, "replaced");
    server.close_stdin();
    server.assert_nothing_more();
}

#[test]
fn an_id_in_flight_cannot_be_used_again_and_the_first_call_is_untouched() {
    let mut server = Server::start([("size", int(1))]);
    let id = server.cast(("echo", "forever"), [], &[("timeout", int(300))]);
    server.send(&tuple([atom("call"), int(id), atom("operator"), atom("neg"), list([int(1)]), map([])]));
    let error = Failure::of(element(&server.receive(), 1));
    assert_eq!(error.reason(), "bad_request");
    assert_eq!(error.detail("id"), int(id));
    for request in ["ping", "status"] {
        server.send(&tuple([atom(request), int(id)]));
        assert_eq!(Failure::of(element(&server.receive(), 1)).detail("id"), int(id), "{request}");
    }
    server.send(&tuple([atom("call"), int(id), atom("operator"), atom("neg"), atom("no_list"), map([])]));
    assert_eq!(Failure::of(element(&server.receive(), 1)).detail("id"), int(id));
    let (to, result) = server.reply();
    assert_eq!((to, result.unwrap_err().reason()), (id, "timeout".into()));
}

#[test]
fn a_flood_of_packets_that_are_no_requests_holds_up_nobody() {
    let mut server = Server::start([("size", int(1))]);
    let id = server.cast(("echo", "forever"), [], &[("timeout", int(300))]);
    let flood = 200_000;
    server.send_bytes(&[0, 0, 0, 1, 131].repeat(flood));
    let start = std::time::Instant::now();
    let mut errors = 0;
    loop {
        let packet = server.receive();
        if name(&packet) == "reply" {
            assert_eq!(crate::harness::term::number(&element(&packet, 1)), id);
            break;
        }
        errors += 1;
    }
    println!("the timeout came after {errors} of {flood} errors and {:?}", start.elapsed());
    while errors < flood {
        assert_eq!(name(&server.receive()), "error");
        errors += 1;
    }
    assert_eq!(server.ask("ping"), atom("pong"));
}

#[test]
fn a_hello_with_a_python_that_hangs_ends_with_its_owner() {
    let folder =
        std::env::temp_dir().join(format!("portpool-test-{}-{}", std::process::id(), crate::harness::unique()));
    std::fs::create_dir(&folder).unwrap();
    let hangs = folder.join("hangs");
    std::fs::write(&hangs, "#!/bin/sh\nexec sleep 3600\n").unwrap();
    std::fs::set_permissions(&hangs, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut server = Server::silent();
    server.hello([("python", text(hangs.to_str().unwrap()))]);
    server.close_stdin();
    let start = std::time::Instant::now();
    assert_eq!(server.wait().0.code(), Some(0));
    assert!(start.elapsed() < std::time::Duration::from_secs(1), "{:?}", start.elapsed());
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn packets_that_are_no_requests_are_refused_and_the_session_goes_on() {
    let mut server = Server::start([("size", int(1))]);
    let call = |args: Term, opts: Term| tuple([atom("call"), int(5), atom("operator"), atom("neg"), args, opts]);
    let without_id: [(Vec<u8>, &str); 9] = [
        (vec![], "malformed packet"),
        (vec![131], "malformed packet"),
        (vec![130, 97, 1], "malformed packet"),
        (encode(&int(1)), "tuple"),
        (encode(&tuple([atom("jump"), int(5)])), "unknown request jump"),
        (encode(&tuple([atom("call"), int(5)])), "must be a tuple of 6 elements, not 2"),
        (encode(&tuple([atom("ping"), atom("five")])), "the id of request ping"),
        (vec![131, 104, 2, 100, 0, 4, b'p', b'i', b'n', b'g', 98, 255, 255, 255, 255], "the id of request ping"),
        (vec![131, 108, 255, 255, 255, 255], "malformed packet"),
    ];
    for (packet, says) in without_id {
        server.send_packet(&packet);
        let reply = server.receive();
        assert_eq!(name(&reply), "error", "{packet:?} {reply}");
        let error = Failure::of(element(&reply, 1));
        assert_eq!((error.reason(), error.blame()), ("bad_request".into(), "caller".into()));
        assert!(error.message().contains(says), "{} does not say {says}", error.message());
    }
    let with_id: [(Vec<u8>, &str); 8] = [
        (encode(&call(atom("no_list"), map([]))), "the arguments of operator:neg are not a list"),
        (encode(&call(list([]), list([]))), "options must be a map"),
        (encode(&call(list([]), map([("time", int(1))]))), "unknown option time: did you mean timeout?"),
        (
            encode(&call(list([]), map([("timeout", atom("soon"))]))),
            "option timeout: must be a number of milliseconds or infinity, not 'soon'",
        ),
        (encode(&call(list([]), map([("kwargs", list([]))]))), "kwargs"),
        ([encode(&call(list([]), map([]))), vec![106]].concat(), "malformed packet"),
        (encode(&tuple([atom("call"), int(5), int(1), atom("neg"), list([]), map([])])), "the module"),
        (
            encode(&tuple([atom("call"), int(5), atom("operator"), list([int(0x11_0000)]), list([]), map([])])),
            "the function",
        ),
    ];
    for (packet, says) in with_id {
        server.send_packet(&packet);
        let (to, result) = server.reply();
        let error = result.unwrap_err();
        assert_eq!((to, error.reason(), error.blame()), (5, "bad_request".into(), "caller".into()), "{error:?}");
        assert!(error.message().contains(says), "{} does not say {says}", error.message());
    }
    assert_eq!(server.call(("operator", "add"), [int(1), int(2)]).unwrap(), int(3));
}

#[test]
fn a_packet_that_is_too_long_is_the_error_of_its_call_and_the_session_goes_on() {
    let mut server = Server::start([("size", int(1)), ("max_frame", int(2000))]);
    let error = server.call(("builtins", "len"), [text(&"x".repeat(1 << 20))]).unwrap_err();
    assert_eq!((error.reason(), error.phase(), error.blame()), ("too_large".into(), "call".into(), "caller".into()));
    assert_eq!(error.detail("limit"), int(2000));
    server.send_packet(&[b'x'; 5000]);
    assert_eq!(Failure::of(element(&server.receive(), 1)).reason(), "too_large");
    let error = server.call(("operator", "mul"), [text("y"), int(3000)]).unwrap_err();
    assert_eq!((error.reason(), error.phase(), error.blame()), ("too_large".into(), "reply".into(), "worker".into()));
    let almost = server.call(("operator", "mul"), [text("y"), int(1940)]).unwrap();
    assert_eq!(string(&almost).len(), 1940);
}

#[test]
fn results_larger_than_any_buffer_come_back_whole_with_small_ones_between() {
    let mut server = Server::start([("size", int(2)), ("wait", atom("all"))]);
    let mut sizes = std::collections::HashMap::new();
    for size in [10 << 20, 3, 5 << 20, 1, 0, 1 << 20] {
        sizes.insert(server.cast(("operator", "mul"), [text("z"), int(size)], &[]), size);
    }
    while !sizes.is_empty() {
        let (id, result) = server.reply();
        assert_eq!(string(&result.unwrap()).len() as u64, sizes.remove(&id).unwrap());
    }
}

#[test]
fn a_large_call_can_be_cancelled_refused_and_answered_like_any_other() {
    let mut server = Server::start([("size", int(1))]);
    let large = || text(&"x".repeat(3 << 20));
    let running = server.cast(("echo", "forever"), [], &[]);
    let id = server.cast(("builtins", "len"), [large()], &[]);
    server.send(&tuple([atom("cancel"), int(id)]));
    let (to, result) = server.reply();
    assert_eq!((to, result.unwrap_err().reason()), (id, "cancelled".into()));
    let id = server.cast(("builtins", "len"), [large()], &[("time", int(1))]);
    let (to, result) = server.reply();
    assert_eq!((to, result.unwrap_err().reason()), (id, "bad_request".into()));
    let id = server.cast(("builtins", "len"), [large()], &[]);
    server.send(&tuple([atom("ping"), int(id + 1000)]));
    assert_eq!(server.reply().0, id + 1000, "a small request does not wait behind a large one");
    server.send(&tuple([atom("cancel"), int(running)]));
    assert_eq!(server.reply().0, running);
    let (to, result) = server.reply();
    assert_eq!((to, result.unwrap()), (id, int(3 << 20)));
    assert_eq!(server.call(("operator", "mul"), [large(), int(2)]).map(|value| string(&value).len()), Ok(6 << 20));
}

#[test]
fn options_that_are_wrong_end_the_session_and_are_named() {
    let cases: [(&str, Term, &str); 14] = [
        ("sise", int(2), "unknown option sise: did you mean size?"),
        ("colour", int(2), "unknown option colour: the options are size,"),
        ("size", int(0), "option size: must be a number of workers, 1 to 1024, or auto, not 0"),
        ("size", atom("many"), "option size"),
        ("max_overflow", text("2"), "option max_overflow"),
        ("timeout", atom("never"), "option timeout"),
        ("wait", atom("some"), "option wait: must be none, first or all"),
        ("max_frame", int(1), "option max_frame"),
        ("env", list([atom("HOME")]), "option env"),
        ("python_path", text("one"), "option python_path: must be a list"),
        ("python_path", list([text("/nowhere/at/all")]), "option python_path: \"/nowhere/at/all\" does not exist"),
        ("cd", text("/nowhere"), "option cd: \"/nowhere\" does not exist"),
        ("python", text("/nowhere/python3"), "option python: python \"/nowhere/python3\" does not exist"),
        ("python", text("no-such-python"), "option python: python \"no-such-python\" was not found in PATH"),
    ];
    for (option, value, says) in cases {
        let mut server = Server::silent();
        server.hello([(option, value)]);
        let reply = server.receive();
        assert_eq!(name(&reply), "error", "{option}");
        let error = Failure::of(element(&reply, 1));
        assert_eq!(
            (error.reason(), error.blame(), string(&error.detail("option"))),
            ("bad_request".into(), "caller".into(), option.into())
        );
        assert!(error.message().contains(says), "{} does not say {says}", error.message());
        assert_eq!(server.wait().0.code(), Some(2), "docs/protocol.md 12");
    }
}

#[test]
fn a_first_packet_that_is_no_hello_ends_the_session() {
    for (packet, says) in [
        (encode(&tuple([atom("call"), int(1)])), "the first packet must be {hello, 1, Options}"),
        (encode(&tuple([atom("hello"), int(2), map([])])), "speaks version 1 of the protocol, not version 2"),
        (encode(&tuple([atom("hello"), int(1), list([])])), "options must be a map"),
        (b"hello".to_vec(), "the first packet must be"),
    ] {
        let mut server = Server::silent();
        server.send_packet(&packet);
        let error = Failure::of(element(&server.receive(), 1));
        assert!(error.message().contains(says), "{} does not say {says}", error.message());
        assert_eq!(server.wait().0.code(), Some(2));
    }
}
