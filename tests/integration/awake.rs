//! `busy_poll`: a process that polls between calls goes to sleep when none comes. docs/protocol.md 7.2.

use std::fs;

use crate::harness::Server;
use crate::harness::term::{atom, int, number};

/// The processor time of a process, in ticks of 10 ms.
fn ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // The name of the program, in parentheses, may hold anything; user and system time are fields 14 and 15.
    let fields = stat.rsplit_once(") ").unwrap().1;
    fields.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum()
}

#[test]
fn a_second_without_a_call_takes_neither_the_server_nor_an_idle_worker_a_processor() {
    for busy_poll in [0, 1000] {
        let mut server = Server::start([("size", int(2)), ("wait", atom("all")), ("busy_poll", int(busy_poll))]);
        // Something stays in flight all the time, for which the server would stay awake.
        let nap = server.cast(("time", "sleep"), [int(1)], &[]);
        let idle = u32::try_from(number(&server.call(("echo", "pid"), []).unwrap())).unwrap();
        for _ in 0..100 {
            server.call(("operator", "neg"), [int(1)]).unwrap();
        }
        let before = ticks(server.pid()) + ticks(idle);
        assert_eq!(server.reply(), (nap, Ok(atom("nil"))));
        let taken = ticks(server.pid()) + ticks(idle) - before;
        assert!(taken < 50, "{taken} ticks with busy_poll {busy_poll}");
    }
}
