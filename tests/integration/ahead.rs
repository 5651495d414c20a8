//! Calls that are sent to busy workers ahead of their time: never lost, never late, never twice. docs/protocol.md 8.1

use std::collections::BTreeMap;
use std::fs;

use eetf::Term;
use rustix::process::Signal;

use crate::harness::chance::Chance;
use crate::harness::term::{
    atom, atom_name, count, element, elements, get, int, list, map, name, number, string, text,
};
use crate::harness::{Failure, Server, Signpost, summary};

/// Short calls that leave a trace, and what came of them.
struct Load {
    server: Server,
    trace: Signpost,
    flying: BTreeMap<u64, u64>,
    next: u64,
    answered: u64,
    errors: BTreeMap<String, u64>,
    /// The numbers of the calls that ended without a result, and whether they may have begun.
    failed: Vec<(u64, bool)>,
    /// The most calls that were ahead when the status was asked for.
    ahead: u64,
    pids: Vec<u32>,
}

impl Load {
    fn start<'a>(options: impl IntoIterator<Item = (&'a str, Term)>) -> Self {
        let own = [("size", int(2)), ("wait", atom("all")), ("preload", list([text("quick")]))];
        let server = Server::start(own.into_iter().chain(options));
        let (flying, errors, failed, pids) = (BTreeMap::new(), BTreeMap::new(), Vec::new(), Vec::new());
        let mut load =
            Self { server, trace: Signpost::new(), flying, next: 1, answered: 0, errors, failed, ahead: 0, pids };
        // So that it is known to be short.
        for _ in 0..100 {
            load.call(0, &[]);
            load.hear();
        }
        load
    }

    fn call(&mut self, milliseconds: u64, options: &[(&str, Term)]) -> u64 {
        let id = self.server.cast(("quick", "trace"), [self.trace.text(), int(self.next), int(milliseconds)], options);
        self.flying.insert(id, self.next);
        self.next += 1;
        id
    }

    /// The next packet: the reply to a call, or to a question for the status.
    fn hear(&mut self) {
        let (id, result) = self.server.reply();
        match (self.flying.remove(&id), result) {
            (Some(call), Ok(value)) => {
                assert_eq!(number(&value), call);
                self.answered += 1;
            }
            (Some(call), Err(error)) => self.fail(call, &error),
            (None, Ok(status)) if matches!(&status, Term::Map(map) if map.map.contains_key(&atom("ahead"))) => {
                self.ahead = self.ahead.max(count(&status, "ahead"));
                let ready =
                    |worker: &Term| !["starting", "stopping"].contains(&atom_name(&get(worker, "state")).as_str());
                let workers = elements(&get(&status, "workers"));
                self.pids =
                    workers.iter().filter(|worker| ready(worker)).map(|worker| count(worker, "pid") as u32).collect();
            }
            (None, _) => {}
        }
    }

    fn fail(&mut self, call: u64, error: &Failure) {
        *self.errors.entry(format!("{} in {}", error.reason(), error.phase())).or_default() += 1;
        self.failed.push((call, error.phase() == "call"));
    }

    fn hear_all(&mut self) {
        while !self.flying.is_empty() {
            self.hear();
        }
    }

    /// Each call has begun once, if it was answered, and never, if its error says that it did not run.
    fn check(mut self, what: &str) -> BTreeMap<String, u64> {
        self.hear_all();
        self.server.drain();
        let mut begun: BTreeMap<u64, u32> = BTreeMap::new();
        for line in fs::read_to_string(self.trace.path()).unwrap().lines() {
            *begun.entry(line.parse().unwrap()).or_default() += 1;
        }
        assert!(begun.values().all(|times| *times == 1), "a call began twice");
        for (call, may_have_begun) in &self.failed {
            assert!(
                *may_have_begun || !begun.contains_key(call),
                "{what}: {call} has begun and was told that it had not"
            );
        }
        assert_eq!(self.answered + self.failed.len() as u64, self.next - 1);
        assert!(self.ahead > 0, "{what}: no call was ahead");
        summary::add("55-ahead", &format!("{what}: {} calls, {} ahead, {:?}", self.next - 1, self.ahead, self.errors));
        self.errors
    }
}

#[test]
fn sigkill_of_workers_under_load_fails_one_call_at_most_and_none_that_had_not_been_read() {
    const KILLS: u64 = 1000;
    let mut chance = Chance(7);
    let mut load = Load::start([]);
    let mut kills = 0;
    while kills < KILLS {
        while load.flying.len() < 64 {
            load.call(0, &[]);
        }
        let replies = 64 + chance.below(64);
        load.server.request("status", []);
        (0..replies).for_each(|_| {
            if load.flying.len() < 32 {
                load.call(0, &[]);
            }
            load.hear();
        });
        if let Some(victim) = load.pids.pop() {
            // It may have been replaced in the meantime.
            let pid = rustix::process::Pid::from_raw(victim as i32).unwrap();
            kills += u64::from(rustix::process::kill_process(pid, Signal::KILL).is_ok());
            load.pids.clear();
        }
    }
    let errors = load.check(&format!("row 1: {KILLS} workers killed under load"));
    assert!(errors.keys().all(|error| error == "worker_exit in call"), "{errors:?}");
    assert!(errors.values().sum::<u64>() <= KILLS, "more than one call for a kill: {errors:?}");
}

#[test]
fn whatever_happens_to_them_calls_ahead_end_once() {
    const CALLS: u64 = 20_000;
    let mut chance = Chance(11);
    let mut load = Load::start([("max_calls", int(400)), ("max_overflow", int(1)), ("overflow_ttl", int(20))]);
    let mut lease = None;
    while load.next < CALLS {
        while load.flying.len() < 48 {
            let milliseconds = if chance.once_in(200) { 2 + chance.below(20) } else { 0 };
            let options = match chance.below(40) {
                0 => vec![("checkout_timeout", int(chance.below(4)))],
                1 => vec![("timeout", int(1 + chance.below(8)))],
                2 => vec![("deadline", int(1 + chance.below(8)))],
                3 => vec![("timeout", int(3)), ("grace", int(5))],
                4..8 => vec![("key", int(chance.below(3)))],
                8 => vec![("on_cancel", atom("finish"))],
                _ => vec![],
            };
            let id = load.call(milliseconds, &options);
            if chance.once_in(50) {
                load.server.send_cancel(id);
            } else if chance.once_in(50) {
                let one = *load.flying.keys().nth(chance.below(load.flying.len() as u64) as usize).unwrap();
                load.server.send_cancel(one);
            }
        }
        match chance.below(300) {
            0 => drop(load.server.request("resize", [int(1 + chance.below(3))])),
            1 => drop(load.server.request("reload", [])),
            2 if lease.is_none() => lease = Some(load.server.request("checkout", [map([])])),
            3 => drop(lease.take().map(|lease| load.server.request("checkin", [int(lease), map([])]))),
            _ => {}
        }
        load.server.request("status", []);
        (0..1 + chance.below(30)).for_each(|_| load.hear());
    }
    if let Some(lease) = lease {
        load.server.request("checkin", [int(lease), map([])]);
    }
    let errors = load.check("row 1: cancels, limits, keys, leases, resizes, reloads");
    for wanted in ["cancelled in checkout", "checkout_timeout in checkout", "timeout in call"] {
        assert!(errors.contains_key(wanted), "{wanted}: {errors:?}");
    }
}

#[test]
fn workers_of_few_calls_run_exactly_as_many_with_others_ahead() {
    let mut load = Load::start([("max_calls", int(7))]);
    while load.next < 1_500 {
        while load.flying.len() < 32 {
            load.call(0, &[]);
        }
        load.server.request("status", []);
        (0..16).for_each(|_| load.hear());
    }
    let errors = load.check("max_calls 7");
    assert!(errors.is_empty(), "{errors:?}");
}

/// The lines of a server's owner until this many replies have come, each with the call that it names.
fn lines(server: &Server, mut replies: usize) -> Vec<(String, Term)> {
    let mut lines = Vec::new();
    while replies > 0 {
        let packet = server.receive();
        if name(&packet) == "log" {
            let line = element(&packet, 1);
            lines.push((string(&get(&line, "text")), get(&line, "call")));
        } else {
            replies -= 1;
        }
    }
    lines
}

#[test]
fn what_a_call_prints_is_its_own_although_the_next_one_has_begun() {
    let mut server = Server::start([("size", int(1)), ("logs", atom("owner"))]);
    for call in 0..100 {
        server.cast(("quick", "says"), [int(call)], &[]);
        server.cast(("quick", "leaves_unsaid"), [int(call)], &[]);
        lines(&server, 2);
    }
    for _ in 0..50 {
        for call in 0..8 {
            let function = if call % 2 == 0 { "says" } else { "leaves_unsaid" };
            server.cast(("quick", function), [int(call)], &[]);
        }
        for (text, call) in lines(&server, 8) {
            match text.split_once(" by ") {
                Some(("printed", _)) => assert_eq!(string(&call), "quick:says", "{text}"),
                Some(("written", _)) => {
                    assert!(call == atom("nil") || string(&call) == "quick:leaves_unsaid", "{text}: {call}")
                }
                // A flood is cut short.
                _ => assert!(text.contains("lines were dropped"), "{text}"),
            }
        }
    }
}
