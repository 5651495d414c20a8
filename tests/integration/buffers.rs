//! Large `bytes` through the real program: next to the pickle, into Python and back. docs/worker_protocol.md 2.3.

use std::fs;

use eetf::Term;
use rustix::process::Signal;

use crate::harness::Server;
use crate::harness::processes::signal;
use crate::harness::term::{atom, count, encode, int, list, map, number, text, tuple};

/// From this size on `bytes` go beside the pickle.
const LARGE: usize = 64 << 10;

fn pattern(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at * 31 + at / 251) as u8).collect()
}

fn binary(bytes: &[u8]) -> Term {
    eetf::Binary::from(bytes.to_vec()).into()
}

fn wrapped(bytes: &[u8]) -> Term {
    map([("__struct__", atom("Elixir.Portpool.Bytes")), ("binary", binary(bytes))])
}

/// The most memory that the server has had, in kilobytes.
fn peak(server: &Server) -> usize {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn bytes_of_64_megabytes_go_to_python_and_back_in_little_more_than_twice_their_memory() {
    const SIZE: usize = 64_000_000;
    let mut server = Server::start([("size", int(1))]);
    let (before, large) = (peak(&server), pattern(SIZE));
    assert_eq!(server.call(("builtins", "len"), [wrapped(&large)]), Ok(int(SIZE as u64)));
    let there = (peak(&server) - before) * 1024;
    let Term::Binary(back) = server.call(("echo", "echo"), [wrapped(&large)]).unwrap() else { panic!("no binary") };
    assert!(back.bytes == large);
    let and_back = (peak(&server) - before) * 1024;
    println!("peak of the server beside {SIZE} bytes: {there} there, {and_back} there and back");
    assert!(there * 10 < SIZE * 13, "{there}: the bytes are copied on the way to Python");
    assert!(and_back * 10 < SIZE * 22, "{and_back}");
}

#[test]
fn sizes_around_the_limit_and_several_buffers_among_small_values_arrive_whole() {
    let mut server = Server::start([("size", int(1))]);
    for size in [0, 1, LARGE - 1, LARGE, LARGE + 1, 1 << 20] {
        let large = pattern(size);
        assert_eq!(server.call(("echo", "echo"), [wrapped(&large)]), Ok(binary(&large)), "{size}");
    }
    let sizes = [LARGE, 10, 300_000, LARGE + 7, 0, 2_000_000, LARGE];
    let value = |wrap: fn(&[u8]) -> Term| {
        list(sizes.iter().map(|size| tuple([int(*size as u64), text("small"), wrap(&pattern(*size))])))
    };
    assert_eq!(server.call(("echo", "echo"), [value(wrapped)]), Ok(value(binary)));
    let bytes = [("binaries", atom("bytes"))];
    assert_eq!(server.call_with(("echo", "echo"), [value(binary)], &bytes), Ok(value(binary)));
    let kwargs = [("kwargs", map([("key", wrapped(&pattern(100_000)))]))];
    let expected = list([list([value(binary)]), eetf::Map::from([(text("key"), binary(&pattern(100_000)))]).into()]);
    assert_eq!(server.call_with(("echo", "keywords"), [value(wrapped)], &kwargs), Ok(expected));
}

#[test]
fn more_buffers_than_one_write_takes_arrive_in_their_order() {
    let mut server = Server::start([("size", int(1))]);
    let value = |wrap: fn(&[u8]) -> Term| list((0..150).map(|n| wrap(&pattern(LARGE + n))));
    assert_eq!(server.call(("echo", "echo"), [value(wrapped)]), Ok(value(binary)));
}

#[test]
fn bytes_out_of_a_compressed_packet_arrive_too() {
    let mut server = Server::start([("size", int(1))]);
    let large = pattern(1 << 20);
    let call = tuple([atom("call"), int(7), atom("echo"), atom("echo"), list([wrapped(&large)]), map([])]);
    let term = &encode(&call)[1..];
    let stream = crate::codec::zlib(term);
    server.send_packet(&[&[131, 80], &u32::try_from(term.len()).unwrap().to_be_bytes()[..], &stream].concat());
    assert_eq!(server.reply(), (7, Ok(binary(&large))));
}

#[test]
fn a_call_with_buffers_that_its_worker_did_not_live_to_read_goes_to_another() {
    let mut server = Server::start([("size", int(1))]);
    let pid = number(&server.call(("echo", "pid"), []).unwrap());
    let pid = u32::try_from(pid).unwrap();
    // It cannot read, and its channel takes less than this.
    signal(pid, Signal::STOP);
    let value = |wrap: fn(&[u8]) -> Term| list([wrap(&pattern(3_000_000)), text("small"), wrap(&pattern(LARGE))]);
    let id = server.cast(("echo", "keywords"), [value(wrapped)], &[]);
    server.wait_for_status("the worker has the call", |status| count(status, "busy") == 1);
    signal(pid, Signal::KILL);
    assert_eq!(server.reply(), (id, Ok(list([list([value(binary)]), map([])]))));
    assert_ne!(server.call(("echo", "pid"), []).unwrap(), int(u64::from(pid)));
}

#[test]
fn buffers_count_in_the_queue() {
    let mut server = Server::start([("size", int(1)), ("max_queue_bytes", int(2_000_000))]);
    let running = server.cast(("echo", "forever"), [], &[]);
    server.wait_for_status("the call runs", |status| count(status, "busy") == 1);
    let waiting = server.cast(("builtins", "len"), [wrapped(&pattern(150_000)), int(1)], &[]);
    let status = server.wait_for_status("the other waits", |status| count(status, "waiting") == 1);
    assert!(count(&status, "waiting_bytes") > 150_000, "{status}");
    for id in [waiting, running] {
        server.send(&tuple([atom("cancel"), int(id)]));
        assert_eq!(server.reply().0, id);
    }
}
