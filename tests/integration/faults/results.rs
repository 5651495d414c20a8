//! Results larger than the room for them. docs/protocol.md 8.8.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use eetf::Term;

use crate::harness::processes::{is_alive, kilobytes};
use crate::harness::term::{atom, int, name, number, string, text, tuple};
use crate::harness::{SOON, Server, Signpost, summary};

const MEGABYTE: usize = 1 << 20;

/// What the server may take for pipes, read buffers and whatever else is not in proportion to the results.
const AROUND: usize = 32 * MEGABYTE;

/// The most memory that the server has had beyond what it had before. The kernel counts pages in batches, so its maximum may be a
/// little below what it said before.
fn taken_since(before: usize, server: &Server) -> usize {
    (kilobytes(server.pid(), "VmHWM:") << 10).saturating_sub(before)
}

/// Asks for this many results of this many bytes at once; returns their ids.
fn cast_results(server: &mut Server, number: u64, bytes: usize) -> BTreeSet<u64> {
    let endless = [("checkout_timeout", atom("infinity")), ("timeout", atom("infinity"))];
    let args = || [text("x"), int(bytes as u64)];
    (0..number).map(|_| server.cast(("operator", "mul"), args(), &endless)).collect()
}

/// Whom a reply is for, by its prefix, and its size: docs/protocol.md 3.2.
fn routed(packet: &[u8]) -> (u64, usize) {
    assert_eq!(&packet[..13], b"\x83h\x03w\x05replyn\x08\x00");
    (u64::from_le_bytes(packet[13..21].try_into().unwrap()), packet.len())
}

fn length(value: &Term) -> usize {
    match value {
        Term::Binary(binary) => binary.bytes.len(),
        other => panic!("no binary: {other}"),
    }
}

/// The worker that says its pid here is killed within this time.
fn assert_times_out(path: &Signpost, limit: Duration) {
    let start = Instant::now();
    while !path.is_up() {
        assert!(start.elapsed() < SOON, "it does not run");
    }
    let start = Instant::now();
    let pid = std::fs::read_to_string(path.path()).unwrap().parse().unwrap();
    while is_alive(pid) {
        assert!(start.elapsed() < limit, "the timeout waits for the owner");
    }
}

#[test]
fn row_22_sixteen_large_replies_take_no_more_than_max_inflight_bytes_and_small_ones_go_between() {
    const RESULT: usize = 60 * MEGABYTE;
    const ROOM: usize = 256 * MEGABYTE;
    let mut server = Server::slowly_read();
    server.hello([("size", int(16)), ("wait", atom("all"))]);
    assert_eq!(name(&server.receive()), "ready");
    let before = kilobytes(server.pid(), "VmRSS:") << 10;
    let mut left = cast_results(&mut server, 16, RESULT);
    let ping = 1 << 40;
    let mut since_ping = None;
    while !left.is_empty() || since_ping.is_some() {
        let (to, bytes) = routed(&server.receive_packet());
        if to == ping {
            since_ping = None;
            continue;
        }
        assert!(left.remove(&to) && bytes > RESULT);
        // One packet may be on its way when the ping comes in.
        assert_ne!(since_ping, Some(1), "the small reply waits behind more than one packet");
        if since_ping.is_none() {
            server.send(&tuple([atom("ping"), int(ping)]));
        }
        since_ping = Some(since_ping.map_or(0, |packets| packets + 1));
    }
    let taken = taken_since(before, &server);
    let (mib, allowed) = (taken / MEGABYTE, ROOM / MEGABYTE);
    summary::add("31-large", &format!("row 22: 16 replies of 60 MiB: {mib} MiB above the baseline, {allowed} allowed"));
    assert!(taken < ROOM + AROUND, "{} MiB", taken / MEGABYTE);
}

#[test]
fn row_23_an_owner_that_does_not_read_holds_results_back_and_no_timeout() {
    const ROOM: usize = 16 * MEGABYTE;
    let mut server = Server::slowly_read();
    server.hello([("size", int(3)), ("wait", atom("all")), ("max_inflight_bytes", int(ROOM as u64))]);
    assert_eq!(name(&server.receive()), "ready");
    let before = kilobytes(server.pid(), "VmRSS:") << 10;
    let path = Signpost::new();
    let late = server.cast(("hangs", "sleeping"), [path.text()], &[("timeout", int(2000))]);
    let mut left = cast_results(&mut server, 100, MEGABYTE);
    left.append(&mut cast_results(&mut server, 200, MEGABYTE / 8));
    assert_times_out(&path, Duration::from_secs(3));
    let held = taken_since(before, &server);
    left.insert(late);
    let mut most = 0;
    while !left.is_empty() {
        let (to, result) = server.reply();
        assert!(left.remove(&to), "one reply for each");
        match result {
            Ok(value) => most = most.max(length(&value)),
            Err(error) => {
                assert_eq!((to, error.reason()), (late, "timeout".into()), "{error:?}");
                assert!(number(&error.detail("elapsed_ms")) < 3000, "{error:?}");
            }
        }
    }
    assert_eq!(most, MEGABYTE);
    let (mib, allowed) = (held / MEGABYTE, ROOM / MEGABYTE);
    summary::add(
        "32-unread",
        &format!("row 23: 125 MiB of results that nobody reads: {mib} MiB held, {allowed} allowed"),
    );
    assert!(held < ROOM + AROUND, "{} MiB", held / MEGABYTE);
    assert_eq!(string(&server.call(("operator", "mul"), [text("y"), int(3)]).unwrap()), "yyy");
}

#[test]
fn row_23_an_owner_that_floods_and_does_not_read_is_not_read_either() {
    const PACKETS: usize = 400_000;
    let mut server = Server::slowly_read();
    server.hello([("size", int(1))]);
    assert_eq!(name(&server.receive()), "ready");
    let before = kilobytes(server.pid(), "VmRSS:") << 10;
    // An error for each, which takes a hundred times the memory of the packet.
    let flood = server.flood([0, 0, 0, 1, 131].repeat(1000), PACKETS / 1000);
    for _ in 0..PACKETS {
        assert_eq!(&server.receive_packet()[..10], b"\x83h\x02w\x05error");
    }
    let held = taken_since(before, &server);
    let mib = held / MEGABYTE;
    summary::add("35-flood", &format!("row 23: {PACKETS} packets of an owner that hardly reads: {mib} MiB held"));
    assert!(held < AROUND, "{mib} MiB");
    server.resume(flood);
    assert_eq!(server.ask("ping"), atom("pong"));
}

#[test]
fn row_23_results_that_wait_for_room_end_with_their_workers_timeout() {
    let mut server = Server::slowly_read();
    server.hello([("size", int(2)), ("wait", atom("all")), ("max_inflight_bytes", int(1 << 16))]);
    assert_eq!(name(&server.receive()), "ready");
    // Larger than all the room there is: one goes alone, and sticks in the pipe. The other's time runs.
    let limit = [("timeout", int(1000))];
    let ids: BTreeSet<u64> =
        (0..2).map(|_| server.cast(("operator", "mul"), [text("x"), int(8 << 20)], &limit)).collect();
    let path = Signpost::new();
    let third = server.cast(("hangs", "sleeping"), [path.text()], &[("timeout", int(1500))]);
    assert_times_out(&path, Duration::from_millis(2500));
    let replies: Vec<_> = (0..3).map(|_| server.reply()).collect();
    let reasons: Vec<String> = replies.iter().filter_map(|(_, result)| Some(result.as_ref().err()?.reason())).collect();
    assert_eq!(reasons, ["timeout", "timeout"]);
    let answered: BTreeSet<u64> = replies.iter().map(|(to, _)| *to).filter(|to| *to != third).collect();
    assert_eq!(answered, ids);
}
