//! Python's resource tracker does its work, however a worker ends. docs/protocol.md 8.10, docs/faults.md row 26a.

use std::fs;
use std::path::Path;

use rustix::process::Signal;

use crate::harness::processes::{assert_dies, is_alive, signal};
use crate::harness::term::{atom, count, element, elements, get, int, list, map, number, string, text};
use crate::harness::{Server, Signpost};

/// What a worker has in hand: paths, and the pid of its tracker.
struct InHand {
    paths: Vec<String>,
    tracker: u32,
}

impl InHand {
    fn of(said: &Signpost) -> Self {
        let mut paths = said.lines();
        let tracker = paths.pop().unwrap().parse().unwrap();
        Self { paths, tracker }
    }

    fn is_there(&self) -> bool {
        self.paths.iter().all(|path| Path::new(path).exists())
    }

    fn assert_goes(&self, how: &str) {
        assert_dies(self.tracker);
        // It has ended; whatever it has not removed stays for good.
        let left: Vec<&String> = self.paths.iter().filter(|path| Path::new(path).exists()).collect();
        left.iter().for_each(|path| fs::remove_file(path).unwrap());
        assert!(left.is_empty(), "{how}: {left:?}");
    }
}

/// A server with a call of this function under way, and what its worker has in hand.
fn running(function: &str, opts: &[(&str, eetf::Term)]) -> (Server, u64, InHand) {
    let mut server = Server::start([("size", int(1)), ("drain_timeout", int(0))]);
    let said = Signpost::new();
    let id = server.cast(("shared", function), [said.text()], opts);
    let in_hand = InHand::of(&said);
    (server, id, in_hand)
}

#[test]
fn what_a_worker_shares_is_gone_when_its_call_times_out_is_cancelled_or_kills_it() {
    for function in ["sleeps", "holds_the_gil", "with_children"] {
        let (server, id, in_hand) = running(function, &[("timeout", int(1500))]);
        assert_eq!(server.reply().1.unwrap_err().reason(), "timeout");
        in_hand.assert_goes(function);
        drop((server, id));
    }
    let (mut server, id, in_hand) = running("sleeps", &[]);
    server.send_cancel(id);
    assert_eq!(server.reply().1.unwrap_err().reason(), "cancelled");
    in_hand.assert_goes("cancelled");
    for function in ["exits", "crashes"] {
        let (server, _, in_hand) = running(function, &[]);
        assert_eq!(server.reply().1.unwrap_err().reason(), "worker_exit");
        in_hand.assert_goes(function);
    }
    let (mut server, _, in_hand) = running("sleeps", &[]);
    let busy = server.wait_for_status("it runs", |status| count(status, "busy") == 1);
    let workers = elements(&get(&busy, "workers"));
    signal(u32::try_from(number(&get(&workers[0], "pid"))).unwrap(), Signal::KILL);
    assert_eq!(server.reply().1.unwrap_err().reason(), "worker_exit");
    in_hand.assert_goes("killed from outside");
}

#[test]
fn what_a_worker_shares_is_gone_when_it_is_recycled_retired_drained_or_its_lease_ends() {
    let mut server = Server::start([("size", int(1)), ("max_calls", int(1))]);
    let said = Signpost::new();
    server.call(("shared", "returns"), [said.text()]).unwrap();
    InHand::of(&said).assert_goes("recycled");

    let said = Signpost::new();
    let mut server = Server::start([("size", int(2)), ("wait", atom("all"))]);
    server.call(("shared", "returns"), [said.text()]).unwrap();
    let in_hand = InHand::of(&said);
    assert!(in_hand.is_there());
    let reload = server.request("reload", []);
    assert_eq!(server.reply().0, reload);
    in_hand.assert_goes("reloaded");

    let said = Signpost::new();
    server.call(("shared", "returns"), [said.text()]).unwrap();
    let in_hand = InHand::of(&said);
    let drain = server.request("drain", [map([])]);
    assert_eq!(server.reply().0, drain);
    assert!(server.wait().0.success());
    in_hand.assert_goes("drained");

    // A drain that kills what runs.
    let (mut server, _, in_hand) = running("sleeps", &[]);
    server.request("drain", [map([("drain_timeout", int(0))])]);
    assert_eq!(server.reply().1.unwrap_err().reason(), "shutdown");
    assert!(server.wait().0.success());
    in_hand.assert_goes("drained in haste");

    let mut server = Server::start([("size", int(1))]);
    let lease = server.request("checkout", [map([])]);
    assert_eq!(server.reply().0, lease);
    let said = Signpost::new();
    server.call_with(("shared", "returns"), [said.text()], &[("lease", int(lease))]).unwrap();
    server.send_cancel(lease);
    InHand::of(&said).assert_goes("its lease was given up");
}

#[test]
fn a_tracker_that_does_not_end_holds_up_no_reply_and_is_killed() {
    let mut server = Server::start([("size", int(1)), ("logs", atom("owner"))]);
    let said = Signpost::new();
    let id = server.cast(("shared", "has_one_that_hangs"), [said.text()], &[]);
    let hangs = said.lines()[0].parse().unwrap();
    server.send_cancel(id);
    assert_eq!(server.reply().1.unwrap_err().reason(), "cancelled");
    // Only after the reply.
    let warning = string(&get(&element(&server.receive(), 1), "text"));
    assert!(warning.contains("resource tracker") && warning.contains(&format!("pid={hangs}")), "{warning}");
    assert_dies(hangs);
}

#[test]
fn once_the_owner_is_gone_no_tracker_has_any_time() {
    let mut server = Server::start([("size", int(1))]);
    let said = Signpost::new();
    server.cast(("shared", "has_one_that_hangs"), [said.text()], &[]);
    let hangs: u32 = said.lines()[0].parse().unwrap();
    server.close_stdin();
    server.wait();
    assert!(!is_alive(hangs), "it is gone before the server");
}

#[test]
fn a_tracker_of_the_template_is_shared_and_outlives_each_worker() {
    let said = Signpost::new();
    let mut server = Server::start([
        ("size", int(2)),
        ("wait", atom("all")),
        ("preload", list([text("shared")])),
        ("env", map([("TAKES_AT_IMPORT", said.text())])),
    ]);
    let in_hand = InHand::of(&said);
    let own = Signpost::new();
    let timed_out = server.call_with(("shared", "sleeps"), [own.text()], &[("timeout", int(1000))]);
    assert_eq!(timed_out.unwrap_err().reason(), "timeout");
    let of_the_call = InHand::of(&own);
    assert_eq!(of_the_call.tracker, in_hand.tracker, "it is the template's");
    let reload = server.request("reload", []);
    assert_eq!(server.reply().0, reload);
    server.wait_for_status("replaced", |status| count(status, "idle") == 2);
    // The template of the first generation and its workers are gone, and then the tracker has nobody left.
    in_hand.assert_goes("reloaded");
    of_the_call.assert_goes("reloaded");
    let second = InHand::of(&said);
    assert!(second.is_there() && is_alive(second.tracker));
    let drain = server.request("drain", [map([])]);
    assert_eq!(server.reply().0, drain);
    server.wait();
    second.assert_goes("drained");
}
