//! Misbehaving calls through the real server: errors that are hard to report, memory, what they leave behind.

use crate::harness::Server;
use crate::harness::processes::{assert_dies, kilobytes};
use crate::harness::term::{atom, count, elements, int, list, number, string, text};

fn pid(server: &mut Server) -> u32 {
    u32::try_from(number(&server.call(("echo", "pid"), []).unwrap())).unwrap()
}

#[test]
fn row_06_what_cannot_be_encoded_is_that_calls_error_and_later_calls_are_clean() {
    let mut server = Server::start([("size", int(1))]);
    let before = pid(&mut server);
    for _ in 0..3 {
        let error = server.call(("raises_badly", "in_the_encoder"), []).unwrap_err();
        assert_eq!(
            (error.reason(), string(&error.detail("path"))),
            ("unencodable".into(), "element 2".into()),
            "{error:?}"
        );
        let error = server.call(("raises_badly", "in_an_encoder_of_its_own"), []).unwrap_err();
        assert_eq!((error.reason(), string(&error.detail("path"))), ("unencodable".into(), "element 2".into()));
        assert!(error.message().contains("ZeroDivisionError: in the encoder"), "{}", error.message());
        for function in ["in_del", "in_a_gc_callback"] {
            assert_eq!(string(&server.call(("raises_badly", function), []).unwrap()), "fine", "{function}");
        }
    }
    assert_eq!(pid(&mut server), before);
    server.close_stdin();
    let (_, log) = server.wait();
    for says in ["in __del__", "in a gc callback"] {
        assert!(log.contains(says), "{says}: {log}");
    }
}

#[test]
fn row_07_exception_whose_str_raises_is_long_or_unprintable_is_cut_and_safe() {
    let mut server = Server::start([("size", int(1))]);
    let before = pid(&mut server);
    for (function, args, says) in [
        ("unprintable", vec![], "that cannot be printed"),
        ("long", vec![int(10)], "characters left out"),
        ("surrogates", vec![], "\\udcff"),
    ] {
        let error = server.call(("raises_badly", function), args).unwrap_err();
        assert_eq!(error.reason(), "exception", "{function}");
        let (message, traceback) = (error.message(), string(&error.detail("traceback")));
        assert!(message.contains(says), "{function}: {message}");
        assert!(message.len() < 10_000 && traceback.len() < 70_000, "{function}: {}", traceback.len());
    }
    assert_eq!(pid(&mut server), before);
}

#[test]
fn row_08_a_worker_at_its_memory_limit_answers_with_memory_error_and_is_replaced() {
    let mut server = Server::start([("size", int(1)), ("memory_limit", int(256 << 20))]);
    let before = pid(&mut server);
    let error = server.call(("starts", "takes"), [int(512)]).unwrap_err();
    assert_eq!((error.reason(), string(&error.detail("type"))), ("exception".into(), "MemoryError".into()));
    assert_dies(before);
    assert_ne!(pid(&mut server), before);
}

#[test]
fn row_10_a_worker_that_ignores_sigterm_does_not_hold_up_a_drain() {
    let mut server = Server::start([("size", int(2)), ("wait", atom("all"))]);
    let stubborn = server.call(("leaves_behind", "everything"), []).unwrap();
    let drain = server.request("drain", [crate::harness::term::map([])]);
    let (to, result) = server.reply();
    assert_eq!((to, result.unwrap()), (drain, atom("drained")));
    assert!(server.wait().0.success());
    assert_dies(u32::try_from(number(&stubborn)).unwrap());
}

#[test]
fn row_15_what_a_worker_that_listens_no_more_was_sent_runs_elsewhere() {
    let mut server = Server::start([("size", int(1))]);
    let before = pid(&mut server);
    assert_eq!(server.call(("breaks_the_channel", "listens_no_more"), []), Ok(atom("nil")));
    assert_ne!(pid(&mut server), before);
    assert_dies(before);
}

#[test]
fn row_17_frames_that_are_empty_or_never_whole_end_with_their_worker() {
    let mut server = Server::start([("size", int(1))]);
    let limit = [("timeout", int(500))];
    // The server numbers calls from 1.
    for (call, function, args, reason, says) in [
        (1, "claims", vec![int(0)], "worker_exit", "without a body"),
        (2, "half_a_frame_and_stalls", vec![int(2), int(60 << 20)], "timeout", "ran longer"),
        (3, "half_a_frame_and_exits", vec![int(3), int(60 << 20)], "worker_exit", "exit status 3"),
    ] {
        let error = server.call_with(("breaks_the_channel", function), args, &limit).unwrap_err();
        assert_eq!(error.reason(), reason, "call {call}: {error:?}");
        assert!(error.message().contains(says), "{error:?}");
        assert_dies(u32::try_from(number(&error.detail("pid"))).unwrap());
    }
    assert!(kilobytes(server.pid(), "VmHWM:") < 40 << 10, "something was allocated from a length");
    let error = server.call(("breaks_the_channel", "garbage"), []).unwrap_err();
    assert_eq!(error.reason(), "worker_exit");
    assert_eq!(server.call(("operator", "neg"), [int(0)]), Ok(int(0)));
    server.close_stdin();
    let (_, log) = server.wait();
    assert!(log.contains("bytes=print output that was never meant for you"), "what it sent is in the log: {log}");
}

#[test]
fn row_19_a_hundred_megabytes_on_stdout_are_read_counted_and_left_out() {
    let mut server = Server::start([("size", int(1))]);
    let before = kilobytes(server.pid(), "VmRSS:");
    assert_eq!(string(&server.call(("prints", "much"), [int(100)]).unwrap()), "fine");
    let taken = kilobytes(server.pid(), "VmHWM:").saturating_sub(before);
    assert!(taken < 16 << 10, "{taken} kB");
    server.close_stdin();
    let (_, log) = server.wait();
    assert!(log.contains("were dropped") && log.len() < 10 << 20, "{} bytes of log", log.len());
}

#[test]
fn row_47_what_a_call_leaves_behind_is_gone_with_its_worker_and_recycling_does_not_hang_on_it() {
    let mut server = Server::start([("size", int(1)), ("max_calls", int(1))]);
    let clean = server.call(("leaves_behind", "what_there_is"), []).unwrap();
    let stubborn = server.call(("leaves_behind", "everything"), []).unwrap();
    assert_eq!(server.call(("leaves_behind", "what_there_is"), []).unwrap(), clean);
    assert_dies(u32::try_from(number(&stubborn)).unwrap());
    // Without recycling the next call finds it: docs/faults.md says so.
    let mut server = Server::start([("size", int(1))]);
    server.call(("leaves_behind", "everything"), []).unwrap();
    let left = elements(&server.call(("leaves_behind", "what_there_is"), []).unwrap());
    assert_eq!(left, [text("/"), text("yes"), int(2)]);
    server.wait_for_status("it is there", |status| count(status, "idle") == 1);
    assert_ne!(clean, list(left));
}
