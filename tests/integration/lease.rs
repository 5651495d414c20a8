//! Leases through the real program: several calls on one worker, and how a lease ends. docs/protocol.md 4.5 to 4.7.

use std::collections::BTreeSet;

use rustix::process::Signal;

use crate::harness::processes::{assert_dies, signal};
use crate::harness::term::{atom, count, get, int, map, number, string, text};
use crate::harness::{Failure, Server, Signpost};

/// Checks a worker out; the lease and the worker's pid.
fn check_out(server: &mut Server, opts: &[(&str, eetf::Term)]) -> Result<(u64, u32), Failure> {
    let lease = server.request("checkout", [map(opts.iter().cloned())]);
    let (to, result) = server.reply();
    assert_eq!(to, lease);
    result.map(|worker| (lease, u32::try_from(number(&get(&worker, "pid"))).unwrap()))
}

fn check_in(server: &mut Server, lease: u64, broken: bool) -> bool {
    let broken = atom(if broken { "true" } else { "false" });
    let id = server.request("checkin", [int(lease), map([("broken", broken)])]);
    let (to, result) = server.reply();
    assert_eq!(to, id);
    result.unwrap() == atom("true")
}

fn pid_of(server: &mut Server, opts: &[(&str, eetf::Term)]) -> u32 {
    u32::try_from(number(&server.call_with(("echo", "pid"), [], opts).unwrap())).unwrap()
}

fn lost(result: Result<eetf::Term, Failure>) -> Failure {
    let error = result.unwrap_err();
    assert_eq!((error.reason(), error.blame()), ("lease_lost".into(), "caller".into()));
    error
}

#[test]
fn calls_of_a_lease_run_on_its_worker_and_other_calls_do_not() {
    let mut server = Server::start([("size", int(2)), ("wait", atom("all"))]);
    let (lease, pid) = check_out(&mut server, &[]).unwrap();
    for _ in 0..20 {
        assert_eq!(pid_of(&mut server, &[("lease", int(lease))]), pid);
        assert_ne!(pid_of(&mut server, &[]), pid);
    }
    let status = server.status();
    assert_eq!((count(&status, "leased"), count(&status, "busy"), count(&status, "idle")), (1, 1, 1));
    assert!(check_in(&mut server, lease, false));
    assert_eq!(count(&server.status(), "idle"), 2);
    assert!(!check_in(&mut server, lease, false), "the second checkin does nothing");
    lost(server.call_with(("echo", "pid"), [], &[("lease", int(lease))]));
}

#[test]
fn calls_of_a_lease_wait_for_each_other_in_their_order() {
    let mut server = Server::start([("size", int(2)), ("wait", atom("all"))]);
    let (lease, pid) = check_out(&mut server, &[]).unwrap();
    let ids: Vec<u64> = (0..10).map(|_| server.cast(("echo", "pid"), [], &[("lease", int(lease))])).collect();
    for id in ids {
        let (to, result) = server.reply();
        assert_eq!((to, number(&result.unwrap())), (id, u64::from(pid)));
    }
}

#[test]
fn a_checkout_waits_like_a_call_and_with_0_it_does_not() {
    let mut server = Server::start([("size", int(1))]);
    let (lease, pid) = check_out(&mut server, &[]).unwrap();
    let error = check_out(&mut server, &[("checkout_timeout", int(0))]).unwrap_err();
    assert_eq!((error.reason(), error.phase()), ("checkout_timeout".into(), "checkout".into()));
    let second = server.request("checkout", [map([])]);
    let third = server.cast(("echo", "pid"), [], &[]);
    let checkin = server.request("checkin", [int(lease), map([])]);
    let replies: BTreeSet<u64> = (0..2).map(|_| server.reply().0).collect();
    assert_eq!(replies, BTreeSet::from([second, checkin]), "first come, first served");
    assert_eq!(pid_of(&mut server, &[("lease", int(second))]), pid);
    server.send_cancel(third);
    assert_eq!(server.reply().0, third);
}

#[test]
fn a_broken_worker_and_one_whose_holder_is_gone_serve_nobody_else() {
    let mut server = Server::start([("size", int(1))]);
    let (lease, broken) = check_out(&mut server, &[]).unwrap();
    assert!(check_in(&mut server, lease, true));
    let (lease, left) = check_out(&mut server, &[]).unwrap();
    assert_ne!(left, broken);
    assert_dies(broken);
    server.send_cancel(lease);
    assert_ne!(pid_of(&mut server, &[]), left);
    assert_dies(left);
    lost(server.call_with(("echo", "pid"), [], &[("lease", int(lease))]));
}

#[test]
fn a_holder_who_goes_while_its_call_runs_takes_call_and_worker_along() {
    let mut server = Server::start([("size", int(1))]);
    let (lease, pid) = check_out(&mut server, &[]).unwrap();
    let running = server.cast(("echo", "forever"), [], &[("lease", int(lease))]);
    let waiting = server.cast(("echo", "pid"), [], &[("lease", int(lease))]);
    server.send_cancel(lease);
    let mut reasons: Vec<(u64, String)> =
        (0..2).map(|_| server.reply()).map(|(to, result)| (to, result.unwrap_err().reason())).collect();
    reasons.sort();
    assert_eq!(reasons, [(running, "cancelled".into()), (waiting, "lease_lost".into())]);
    assert_dies(pid);
}

#[test]
fn a_lease_ends_with_lease_timeout_with_its_worker_and_with_a_call_that_times_out() {
    let mut server = Server::start([("size", int(1))]);
    let (lease, pid) = check_out(&mut server, &[("lease_timeout", int(50))]).unwrap();
    assert_dies(pid);
    lost(server.call_with(("echo", "pid"), [], &[("lease", int(lease))]));

    let (lease, _) = check_out(&mut server, &[("lease_timeout", int(200))]).unwrap();
    let error = lost(server.call_with(("echo", "forever"), [], &[("lease", int(lease))]));
    assert!(error.message().contains("lease_timeout"), "{error:?}");

    let (lease, pid) = check_out(&mut server, &[]).unwrap();
    signal(pid, Signal::KILL);
    let error = server.call_with(("echo", "pid"), [], &[("lease", int(lease))]).unwrap_err();
    assert!(["lease_lost", "worker_exit"].contains(&error.reason().as_str()), "{error:?}");
    lost(server.call_with(("echo", "pid"), [], &[("lease", int(lease))]));

    let (lease, _) = check_out(&mut server, &[]).unwrap();
    let error = server.call_with(("echo", "forever"), [], &[("lease", int(lease)), ("timeout", int(50))]).unwrap_err();
    assert_eq!(error.reason(), "timeout");
    lost(server.call_with(("echo", "pid"), [], &[("lease", int(lease))]));
    assert!(!check_in(&mut server, lease, false));
}

#[test]
fn a_call_that_runs_at_checkin_goes_on_as_one_of_the_pool() {
    let mut server = Server::start([("size", int(1))]);
    let flag = Signpost::new();
    let (lease, _) = check_out(&mut server, &[]).unwrap();
    let running = server.cast(("echo", "wait_for"), [flag.text()], &[("lease", int(lease))]);
    assert!(check_in(&mut server, lease, false));
    flag.put_up();
    let (to, result) = server.reply();
    assert_eq!((to, string(&result.unwrap())), (running, "seen".into()));
    pid_of(&mut server, &[]);
}

#[test]
fn an_id_names_its_lease_until_that_is_over() {
    let mut server = Server::start([("size", int(1))]);
    let (lease, _) = check_out(&mut server, &[]).unwrap();
    server.send(&crate::harness::term::tuple([atom("ping"), int(lease)]));
    let error = Failure::of(crate::harness::term::element(&server.receive(), 1));
    assert_eq!((error.reason(), error.detail("id")), ("bad_request".into(), int(lease)));
    assert!(check_in(&mut server, lease, false));
    server.send(&crate::harness::term::tuple([atom("ping"), int(lease)]));
    assert_eq!(server.reply().0, lease);
}

#[test]
fn where_a_call_is_to_run_can_be_said_in_one_way_only() {
    let mut server = Server::start([("size", int(1))]);
    let error = server.call_with(("echo", "pid"), [], &[("key", text("a")), ("lease", int(1))]).unwrap_err();
    assert_eq!(error.reason(), "bad_request");
    assert!(error.message().contains("use only one of key, lease and worker"), "{error:?}");
    lost(server.call_with(("echo", "pid"), [], &[("lease", int(77))]));
    let gone = server.call_with(("echo", "pid"), [], &[("worker", int(77))]).unwrap_err();
    assert_eq!((gone.reason(), gone.blame()), ("worker_gone".into(), "caller".into()));
}
