//! Two things at the same moment, through real Python: whichever comes first, there is one reply, and nobody gets
//! another's.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use eetf::Term;

use crate::harness::term::{atom, int, list, text};
use crate::harness::{Server, summary};

/// Calls that are made before their replies are heard.
const AT_ONCE: u64 = 1000;

/// `make soak` asks for more of them.
fn histories() -> u64 {
    std::env::var("PORTPOOL_RACE_HISTORIES").ok().map_or(AT_ONCE, |histories| histories.parse().unwrap())
}

fn pool() -> Server {
    Server::start([
        ("size", int(4)),
        ("wait", atom("all")),
        ("max_queue", int(AT_ONCE)),
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

/// Calls that take 19 to 21 ms, where 20 are allowed: how many have a value, and how many an error.
fn race_the_deadline(server: &mut Server) -> (usize, usize) {
    let calls: BTreeMap<u64, Term> = (0..AT_ONCE)
        .map(|n| {
            let argument = seconds(0.019 + n as f64 * 0.002 / AT_ONCE as f64);
            (server.cast(("grace", "until"), [argument.clone()], &[("timeout", int(20))]), argument)
        })
        .collect();
    replies(server, &calls, &["timeout"])
}

/// Two calls, of which the first is cancelled after this time: how many have a value, and how many were cancelled.
fn race_the_cancellation(server: &mut Server, n: u64, delay: Duration) -> (usize, usize) {
    let calls: BTreeMap<u64, Term> = (0..2)
        .map(|m| 2 * n + m)
        .map(|argument| (server.cast(("echo", "echo"), [int(argument)], &[]), int(argument)))
        .collect();
    let first = *calls.keys().next().unwrap();
    // No sleep is as short as that.
    let start = Instant::now();
    while start.elapsed() < delay {}
    server.send_cancel(first);
    replies(server, &calls, &["cancelled"])
}

/// The sums of what each race came to, in a pool of its own that has nothing more to say at the end.
fn sums(races: impl Iterator<Item = u64>, mut race: impl FnMut(&mut Server, u64) -> (usize, usize)) -> (usize, usize) {
    let mut server = pool();
    let sums = races.map(|n| race(&mut server, n)).fold((0, 0), |sum, (ok, errors)| (sum.0 + ok, sum.1 + errors));
    server.close_stdin();
    server.assert_nothing_more();
    sums
}

#[test]
fn a_reply_at_the_moment_of_its_deadline_is_one_reply_in_1000_histories() {
    let histories = histories().next_multiple_of(AT_ONCE);
    let (values, timeouts) = sums(0..histories / AT_ONCE, |server, _| race_the_deadline(server));
    let seen = format!("row 13: {histories} replies against their deadlines: {values} results, {timeouts} timeouts");
    summary::add("33-deadlines", &seen);
    assert!(values > 0 && timeouts > 0, "no race: {values} results, {timeouts} timeouts");
}

#[test]
fn a_reply_at_the_moment_of_its_cancellation_is_one_reply_in_1000_histories() {
    let histories = histories();
    // Whoever has won has it harder the next time, so that they stay close on any machine.
    let mut delay = Duration::from_micros(50);
    let (values, cancelled) = sums(0..histories, |server, n| {
        let won = race_the_cancellation(server, n, delay);
        delay = if won.1 == 0 { delay * 9 / 10 } else { delay * 11 / 10 + Duration::from_nanos(100) };
        won
    });
    // The second call of each is not cancelled, and has a value.
    let values = values - histories as usize;
    let seen =
        format!("row 14: {histories} replies against their cancellations: {values} results, {cancelled} cancelled");
    summary::add("34-cancellations", &seen);
    assert!(values > 0 && cancelled > 0, "no race: {values} results, {cancelled} cancelled");
}
