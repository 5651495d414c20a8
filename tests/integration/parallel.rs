//! Threads, processes and programs in a call: a worker can run what any Python can.

use crate::harness::Server;
use crate::harness::processes::assert_dies;
use crate::harness::term::{count, int, list, number, string, text};

/// Pools whose workers are started on their own, and forked from a template.
fn both_ways() -> [Server; 2] {
    [list([]), list([text("parallel")])].map(|preload| Server::start([("size", int(1)), ("preload", preload)]))
}

#[test]
fn threads_and_programs_inside_a_call_work() {
    for mut server in both_ways() {
        assert_eq!(server.call(("parallel", "in_threads"), [int(10)]), Ok(int(285)));
        assert_eq!(string(&server.call(("parallel", "in_a_program"), [text("drawer")]).unwrap()), "reward");
        assert_eq!(server.call(("parallel", "in_a_thread_that_forks"), []), Ok(list([int(3)])));
    }
}

#[test]
fn multiprocessing_inside_a_call_works_by_fork_spawn_and_forkserver() {
    for mut server in both_ways() {
        for method in ["fork", "spawn", "forkserver"] {
            for function in ["in_a_pool", "in_an_executor"] {
                let sum = server.call(("parallel", function), [text(method), int(10)]);
                assert_eq!(sum, Ok(int(285)), "{function}, {method}");
            }
            let said = server.call(("parallel", "in_a_process"), [text(method), int(7)]);
            assert_eq!(said, Ok(list([int(49), int(0)])), "{method}");
        }
        let status = server.status();
        assert_eq!((count(&status, "idle"), count(&status, "restarts")), (1, 0), "{status}");
        // The server of forkserver stays with its worker, and goes with it.
        let pid = number(&server.call(("echo", "pid"), []).unwrap());
        drop(server);
        assert_dies(u32::try_from(pid).unwrap());
    }
}
