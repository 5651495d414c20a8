//! Idle workers that die: no call fails that had not begun. docs/protocol.md 8.4.

use std::collections::HashMap;

use rustix::process::Signal;

use crate::harness::processes::signal;
use crate::harness::term::{atom, count, elements, get, int, list, text};
use crate::harness::{Server, Signpost, summary};

/// Makes a call that leaves a mark when it begins, and returns the mark, which is gone when it is dropped.
fn cast_marked(server: &mut Server) -> (u64, Signpost) {
    let mark = Signpost::new();
    (server.cast(("echo", "touch"), [mark.text()], &[]), mark)
}

#[test]
fn sigkill_of_idle_workers_under_load_fails_no_call_that_had_not_begun() {
    const KILLS: usize = 1000;
    const CALLS: usize = 4;
    // Forked workers are back sooner.
    let mut server = Server::start([("size", int(2)), ("wait", atom("all")), ("preload", list([text("echo")]))]);
    let (mut answered, mut exits, mut killed) = (0, 0, 0);
    for _ in 0..KILLS {
        // One whose death has not been seen yet counts as idle.
        let is_new = |worker: &eetf::Term| count(worker, "id") > killed;
        let status = server.wait_for_status("both are back", |status| {
            count(status, "idle") == 2 && elements(&get(status, "workers")).iter().all(is_new)
        });
        // Nothing lies between the kill and the calls, so that some are dispatched to a worker whose death is not known yet.
        // The older one has done something, so that it is replaced without a pause.
        let victim = elements(&get(&status, "workers")).remove(0);
        killed = count(&victim, "id");
        signal(u32::try_from(count(&victim, "pid")).unwrap(), Signal::KILL);
        let mut marks: HashMap<u64, Signpost> = (0..CALLS).map(|_| cast_marked(&mut server)).collect();
        while !marks.is_empty() {
            let (id, result) = server.reply();
            let mark = marks.remove(&id).unwrap();
            match result {
                Ok(_) => answered += 1,
                Err(error) => {
                    assert_eq!(error.reason(), "worker_exit", "{error:?}");
                    assert!(mark.is_up(), "it had not begun: {error:?}");
                    exits += 1;
                }
            }
        }
    }
    let seen = format!("row 1: {KILLS} idle workers killed under load, {answered} calls answered, {exits} had begun");
    summary::add("30-idle-workers", &seen);
    assert!(exits <= KILLS && answered + exits == CALLS * KILLS);
}

#[test]
fn calls_given_to_workers_that_had_died_unnoticed_go_to_others() {
    let mut server = Server::start([("size", int(2)), ("wait", atom("all"))]);
    for _ in 0..10 {
        let status = server.wait_for_status("both are back", |status| count(status, "idle") == 2);
        server.signal(Signal::STOP);
        for worker in elements(&get(&status, "workers")) {
            signal(u32::try_from(count(&worker, "pid")).unwrap(), Signal::KILL);
        }
        let (id, _mark) = cast_marked(&mut server);
        server.signal(Signal::CONT);
        let (to, result) = server.reply();
        assert_eq!(to, id);
        result.unwrap();
    }
}
