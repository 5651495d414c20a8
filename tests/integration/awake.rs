//! `busy_poll`: a process that polls between calls goes to sleep when none comes. docs/protocol.md 7.2.

use std::fs;
use std::time::Duration;

use crate::harness::Server;
use crate::harness::term::{atom, elements, get, int, number, text};

/// For how long the threads of these processes have wanted a processor: on one, or in the queue for one. Unlike the time on a
/// processor, it does not shrink when the machine is busy.
fn wanted(pids: &[u32]) -> Duration {
    let threads = pids.iter().flat_map(|pid| fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten());
    // A helper thread may end at any time.
    let times = threads.filter_map(|thread| fs::read_to_string(thread.path().join("schedstat")).ok());
    let nanos = times.map(|times| times.split(' ').take(2).map(|time| time.parse::<u64>().unwrap()).sum::<u64>());
    Duration::from_nanos(nanos.sum())
}

#[test]
fn a_second_without_a_call_takes_neither_the_server_nor_a_worker_a_processor() {
    let half_a_second = Duration::from_millis(500);
    for busy_poll in [0, 1000] {
        let mut server = Server::start([("size", int(2)), ("wait", atom("all")), ("busy_poll", int(busy_poll))]);
        let workers = elements(&get(&server.status(), "workers"));
        let workers = workers.iter().map(|worker| u32::try_from(number(&get(worker, "pid"))).unwrap());
        let all: Vec<u32> = workers.chain([server.pid()]).collect();
        for _ in 0..100 {
            server.call(("operator", "neg"), [int(1)]).unwrap();
        }
        // It is in flight all the time, so that the server has something to stay awake for.
        let before = wanted(&all);
        server.call(("time", "sleep"), [int(1)]).unwrap();
        let taken = wanted(&all) - before;
        assert!(taken < half_a_second, "{taken:?} with busy_poll {busy_poll}");
        // What does not sleep is seen, whatever else the machine does.
        let before = wanted(&all);
        let spin = "import time\nend = time.monotonic() + 1\nwhile time.monotonic() < end: pass";
        server.call(("builtins", "exec"), [text(spin)]).unwrap();
        let taken = wanted(&all) - before;
        assert!(taken > half_a_second, "a worker that spins for a second wanted a processor for {taken:?}");
    }
}
