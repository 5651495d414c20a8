//! Two things at the same moment through real Python: whichever comes first, there is one reply, and nobody gets another's.

use std::collections::BTreeMap;

use eetf::Term;

use crate::harness::Server;
use crate::harness::term::{atom, int, list, text};

const HISTORIES: u64 = 1000;

fn pool() -> Server {
    Server::start([
        ("size", int(4)),
        ("wait", atom("all")),
        ("max_queue", int(HISTORIES)),
        ("checkout_timeout", atom("infinity")),
        ("preload", list([text("grace"), text("echo")])),
    ])
}

fn seconds(seconds: f64) -> Term {
    eetf::Float::try_from(seconds).unwrap().into()
}

/// One reply for each of these calls, its own argument or an error with one of these reasons; how many got what.
fn replies(server: &Server, calls: &BTreeMap<u64, Term>, reasons: &[&str]) -> (usize, usize) {
    let mut left = calls.clone();
    let (mut values, mut errors) = (0, 0);
    while !left.is_empty() {
        let (to, result) = server.reply();
        let argument = left.remove(&to).expect("one reply for each");
        match result {
            Ok(value) => {
                assert_eq!(value, argument, "another call's reply");
                values += 1;
            }
            Err(error) => {
                assert!(reasons.contains(&error.reason().as_str()), "{error:?}");
                errors += 1;
            }
        }
    }
    (values, errors)
}

#[test]
fn a_reply_at_the_moment_of_its_deadline_is_one_reply_in_1000_histories() {
    let mut server = pool();
    let calls: BTreeMap<u64, Term> = (0..HISTORIES)
        .map(|n| {
            // 19 to 21 ms, where 20 are allowed.
            let argument = seconds(0.019 + n as f64 * 0.002 / HISTORIES as f64);
            (server.cast(("grace", "until"), [argument.clone()], &[("timeout", int(20))]), argument)
        })
        .collect();
    let (values, timeouts) = replies(&server, &calls, &["timeout"]);
    println!("deadline against reply: {HISTORIES} histories, {values} results, {timeouts} timeouts");
    assert!(values > 0 && timeouts > 0, "no race: {values} results, {timeouts} timeouts");
    server.close_stdin();
    server.assert_nothing_more();
}

#[test]
fn a_reply_at_the_moment_of_its_cancellation_is_one_reply_in_1000_histories() {
    let mut server = pool();
    let (mut values, mut cancelled) = (0, 0);
    for n in 0..HISTORIES {
        let calls: BTreeMap<u64, Term> = (0..2)
            .map(|m| (n, m))
            .map(|(n, m)| (server.cast(("echo", "echo"), [int(2 * n + m)], &[]), int(2 * n + m)))
            .collect();
        let first = *calls.keys().next().unwrap();
        // About as long as a call takes, by work that is not optimised away.
        std::hint::black_box((0..n * 100).fold(0u64, |sum, i| std::hint::black_box(sum ^ i)));
        server.send_cancel(first);
        let (ok, errors) = replies(&server, &calls, &["cancelled"]);
        (values, cancelled) = (values + ok, cancelled + errors);
    }
    println!("cancel against reply: {HISTORIES} histories, {values} results, {cancelled} cancelled");
    assert!(cancelled > 0 && values > HISTORIES as usize, "no race: {values} results, {cancelled} cancelled");
    server.close_stdin();
    server.assert_nothing_more();
}
