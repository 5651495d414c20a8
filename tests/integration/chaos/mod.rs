//! Random faults against one real server, each at any time: one reply for each request, its own, and nothing left. docs/faults.md, row 48.
//!
//! `PORTPOOL_CHAOS_SECONDS` says how long (10), `PORTPOOL_CHAOS_SEED` which operations (else by chance). A failure prints its seed.

mod footprint;
mod operations;
mod random;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::time::{Duration, Instant};

use eetf::Term;
use portpool::config::processors;
use rustix::process::Signal;

use crate::harness::processes::signal;
use crate::harness::term::{atom, count, element, elements, get, int, list, name, number, text};
use crate::harness::{Failure, Server, summary};
use footprint::Footprint;
use random::Random;

/// Workers that are there at the beginning and at the end.
const SIZE: u64 = 4;
/// Requests in flight at most.
const AT_ONCE: usize = 32;
/// What a fault that is aimed at workers may do to any call.
const BYSTANDERS: [&str; 2] = ["worker_exit", "crash_loop"];
/// How much the server's memory may grow, in kilobytes, from a third of the time on.
const GROWTH: usize = 16 << 10;

/// What is to come back.
#[derive(Debug)]
enum Due {
    /// This very value.
    Value(Term),
    /// Something.
    Anything,
    /// No value at all.
    Failure,
    /// A picture of the pool, by which a worker is chosen and killed.
    Victims,
    /// A worker.
    Lease,
}

/// A request that has not been answered.
#[derive(Debug)]
struct Owed {
    due: Due,
    /// The errors that it may end with.
    reasons: &'static [&'static str],
}

struct Chaos {
    server: Server,
    random: Random,
    owed: HashMap<u64, Owed>,
    /// Leases that were granted and may have ended.
    leases: Vec<u64>,
    /// The number of errors still to come that belong to no request.
    errors_due: u64,
    operations: u64,
    /// Replies that were owed, errors that belong to no request among them.
    expected: u64,
    faults: BTreeMap<&'static str, u64>,
    replies: BTreeMap<String, u64>,
}

impl Chaos {
    fn new(seed: u64) -> Self {
        let modules = ["echo", "dies", "hangs", "forked"].map(text);
        let server = Server::start([
            ("size", int(SIZE)),
            ("wait", atom("all")),
            ("preload", list(modules)),
            ("max_calls", int(50)),
            ("max_frame", int(1 << 20)),
            ("max_inflight_bytes", int(8 << 20)),
            ("max_overflow", int(2)),
            ("overflow_ttl", int(100)),
            ("idle_check", int(200)),
            ("lease_timeout", int(500)),
            ("checkout_timeout", atom("infinity")),
            ("timeout", int(30_000)),
        ]);
        Self {
            server,
            random: Random::new(seed),
            owed: HashMap::new(),
            leases: Vec::new(),
            errors_due: 0,
            operations: 0,
            expected: 0,
            faults: BTreeMap::new(),
            replies: BTreeMap::new(),
        }
    }

    fn run(&mut self, limit: Duration) -> Footprint {
        let start = Instant::now();
        let mut early = None;
        while start.elapsed() < limit {
            self.operate();
            self.operations += 1;
            while self.owed.len() >= AT_ONCE {
                self.hear();
            }
            if early.is_none() && start.elapsed() > limit / 3 {
                early = Some(Footprint::of(&self.server));
            }
        }
        let early = early.unwrap_or_else(|| Footprint::of(&self.server));
        while !self.owed.is_empty() || self.errors_due > 0 {
            self.hear();
        }
        early
    }

    /// Takes whatever comes next, which must be due.
    fn hear(&mut self) {
        let reply = self.server.receive();
        if name(&reply) == "error" {
            self.errors_due = self.errors_due.checked_sub(1).unwrap_or_else(|| panic!("nobody asked for {reply}"));
            *self.replies.entry("of no request".to_owned()).or_default() += 1;
            return;
        }
        let id = number(&element(&reply, 1));
        let owed = self.owed.remove(&id).unwrap_or_else(|| panic!("nobody waits for {reply}"));
        let outcome = element(&reply, 2);
        let body = element(&outcome, 1);
        if name(&outcome) == "error" {
            let error = Failure::of(body);
            let reason = error.reason();
            let may_be = owed.reasons.contains(&reason.as_str()) || BYSTANDERS.contains(&reason.as_str());
            assert!(may_be, "{id}, {owed:?}: {error:?}");
            *self.replies.entry(reason).or_default() += 1;
            return;
        }
        *self.replies.entry("ok".to_owned()).or_default() += 1;
        match owed.due {
            Due::Value(value) => assert_eq!(body, value, "another call's reply"),
            Due::Anything => {}
            Due::Failure => panic!("{id} cannot have a value: {body}"),
            Due::Victims => self.kill_one_of(&elements(&get(&body, "workers"))),
            Due::Lease => self.leases.push(id),
        }
    }

    /// What has happened, for people.
    fn told(&self, seed: u64, limit: Duration, [before, early, after]: [&Footprint; 3]) -> String {
        let Self { operations, expected, faults, replies, .. } = self;
        let (received, injected): (u64, u64) = (replies.values().sum(), faults.values().sum());
        format!(
            "chaos, {} s, seed {seed}: {operations} operations, {injected} faults injected: {}\n  \
             {expected} replies expected, {received} received: {}\n  \
             leaks: {}; before {before}; after a third {early}; at the end {after}",
            limit.as_secs(),
            listed(faults),
            listed(replies),
            after.leaks(before),
        )
    }

    /// Kills a worker by its number, if it is still the server's child.
    fn kill_one_of(&mut self, workers: &[Term]) {
        let pids: Vec<u32> = workers.iter().map(|worker| u32::try_from(count(worker, "pid")).unwrap()).collect();
        let Some(pid) = self.random.one_of(&pids) else { return };
        if footprint::parent(*pid) == Some(self.server.pid()) {
            signal(*pid, Signal::KILL);
        }
    }
}

fn listed<K: Display>(counts: &BTreeMap<K, u64>) -> String {
    counts.iter().map(|(what, count)| format!("{what} {count}")).collect::<Vec<_>>().join(", ")
}

/// Says how to see a failure again.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("to see the same operations again: PORTPOOL_CHAOS_SEED={}", self.0);
        }
    }
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}

#[test]
fn random_faults_leave_one_reply_for_each_call_and_nothing_behind() {
    let seed = Seed(from_environment("PORTPOOL_CHAOS_SEED").unwrap_or_else(random::seed));
    let limit = Duration::from_secs(from_environment("PORTPOOL_CHAOS_SECONDS").unwrap_or(10));
    let mut chaos = Chaos::new(seed.0);
    let before = Footprint::of(&chaos.server);
    let early = chaos.run(limit);
    let resize = chaos.server.request("resize", [int(SIZE)]);
    assert_eq!(chaos.server.reply().0, resize);
    chaos.server.wait_for_status("as many workers as before", |status| {
        let workers = elements(&get(status, "workers"));
        count(status, "idle") == SIZE && workers.len() as u64 == SIZE && count(status, "inflight_bytes") == 0
    });
    footprint::assert_no_zombie(&chaos.server);
    let after = Footprint::at_rest(&chaos.server, &before);
    summary::add("40-chaos", &chaos.told(seed.0, limit, [&before, &early, &after]));
    assert!(after.descriptors <= before.descriptors, "descriptors are left");
    // Helper threads come and go, at most one for each processor.
    assert!(after.threads <= before.threads + processors(), "threads are left");
    // What it takes at one moment depends on the results that are on their way just then.
    assert!(after.kilobytes < early.most_kilobytes + GROWTH, "memory grows");
    chaos.server.close_stdin();
    chaos.server.assert_nothing_more();
}
