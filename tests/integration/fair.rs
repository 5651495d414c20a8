//! Large and small side by side: neither holds up the other, whatever it looks like from outside.

use std::io::Write;

use crate::harness::term::{atom, element, encode, int, list, name, number, text, tuple};
use crate::harness::{Server, Signpost};

/// As `term_to_binary(Term, [compressed])` writes it.
fn compressed(packet: &[u8]) -> Vec<u8> {
    let (version, term) = packet.split_first().unwrap();
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(term).unwrap();
    let size = u32::try_from(term.len()).unwrap().to_be_bytes();
    [[*version, 80].as_slice(), &size, &encoder.finish().unwrap()].concat()
}

fn framed(packet: &[u8]) -> Vec<u8> {
    [&u32::try_from(packet.len()).unwrap().to_be_bytes(), packet].concat()
}

/// A call of `len`, with a list of text that takes twelve MB and is mostly the same.
fn large_call(id: u64) -> Vec<u8> {
    let strings = list((0..12_000).map(|_| text(&"a".repeat(1000))));
    let opts = crate::harness::term::map([]);
    encode(&tuple([atom("call"), int(id), atom("builtins"), atom("len"), list([strings]), opts]))
}

#[test]
fn packets_that_inflate_to_megabytes_hold_up_no_ping() {
    const CALLS: u64 = 12;
    let mut server = Server::start([("size", int(2)), ("wait", atom("all")), ("max_queue_bytes", int(1 << 30))]);
    let ping = encode(&tuple([atom("ping"), int(99)]));
    let calls: Vec<Vec<u8>> = (10..10 + CALLS).map(|id| compressed(&large_call(id))).collect();
    assert!(calls.iter().all(|call| call.len() < 200 << 10), "they come small");
    let all: Vec<u8> = calls.iter().chain([&ping]).flat_map(|packet| framed(packet)).collect();
    // To read all of them takes longer than this rests.
    let rests = server.cast(("large", "rests"), [int(500)], &[]);
    server.send_bytes(&all);
    let ids: Vec<u64> = (0..CALLS + 2).map(|_| number(&element(&server.receive(), 1))).collect();
    let at = |id| ids.iter().position(|other| *other == id);
    assert!(at(99) < at(rests), "{CALLS} calls of 12 MB were read before the ping was: {ids:?}");
}

#[test]
fn a_compressed_call_can_be_cancelled_before_it_is_read_and_counts_as_large_as_it_becomes() {
    let mut server = Server::start([("size", int(1)), ("max_queue_bytes", int(16 << 20))]);
    let (first, second) = (compressed(&large_call(1)), compressed(&large_call(2)));
    let cancel = encode(&tuple([atom("cancel"), int(1)]));
    server.send_bytes(&[framed(&first), framed(&second), framed(&cancel)].concat());
    let mut reasons: Vec<(u64, String)> = (0..2)
        .map(|_| server.reply())
        .map(|(id, outcome)| (id, outcome.map_or_else(|error| error.reason(), |_| "ok".to_owned())))
        .collect();
    reasons.sort_unstable();
    assert_eq!(reasons, [(1, "cancelled".into()), (2, "queue_full".into())]);
}

#[test]
fn a_compressed_packet_that_is_wrong_is_refused_as_before() {
    let mut server = Server::start([("size", int(1))]);
    let whole = compressed(&large_call(1));
    server.send_packet(&whole[..whole.len() / 2]);
    let (id, outcome) = server.reply();
    assert_eq!((id, outcome.unwrap_err().reason()), (1, "bad_request".into()));
    let status = compressed(&encode(&tuple([atom("status"), list([text(&"a".repeat(1 << 20))])])));
    server.send_packet(&status);
    assert_eq!(name(&server.receive()), "error");
    assert_eq!(server.call(("operator", "neg"), [int(0)]), Ok(int(0)));
}

#[test]
fn a_small_result_that_becomes_a_large_term_is_overtaken_by_a_small_one() {
    let mut server = Server::start([("size", int(1))]);
    // 40 KB from the worker, 20 MB for the owner.
    let grows = server.cast(("large", "the_same_again"), [int(1000), int(20_000)], &[]);
    let small = server.cast(("operator", "neg"), [int(0)], &[]);
    let (first, _) = server.reply();
    let (second, grown) = server.reply();
    assert_eq!((first, second), (small, grows), "the small one waited for 20 MB to be written");
    assert_eq!(crate::harness::term::elements(&grown.unwrap()).len(), 20_000);
}

#[test]
fn a_large_result_comes_through_a_stream_of_small_ones() {
    const PINGS: u64 = 100_000;
    // An owner who is slower than the server, so that there is always a small one to be written.
    let mut server = Server::slowly_read();
    server.hello([("size", int(1))]);
    assert_eq!(name(&server.receive()), "ready");
    let signpost = Signpost::new();
    let large = server.cast(("large", "text_after"), [signpost.text(), int(300 << 10)], &[]);
    let ping = |id| framed(&encode(&tuple([atom("ping"), int(id)])));
    let flood = server.flood((1000..1000 + PINGS).flat_map(ping).collect(), 1);
    let next = |_| number(&element(&server.receive(), 1));
    let mut ids: Vec<u64> = (0..20_000).map(next).collect();
    signpost.put_up();
    ids.extend((20_000..=PINGS).map(next));
    server.resume(flood);
    let before = ids.iter().position(|id| *id == large).unwrap() as u64;
    assert!(before < PINGS * 9 / 10, "{before} small replies went before a large one");
}

#[test]
fn a_timeout_comes_through_a_flood_of_requests() {
    const PINGS: u64 = 300_000;
    let mut server = Server::start([("size", int(1))]);
    let call = server.cast(("echo", "forever"), [], &[("timeout", int(50))]);
    let ping = |id| framed(&encode(&tuple([atom("ping"), int(id)])));
    let flood = server.flood((1000..1000 + PINGS).flat_map(ping).collect(), 1);
    let (mut pongs, mut before) = (0, None);
    while pongs < PINGS || before.is_none() {
        match number(&element(&server.receive(), 1)) {
            id if id == call => before = Some(pongs),
            _ => pongs += 1,
        }
    }
    server.resume(flood);
    assert!(before < Some(PINGS), "the timeout waits for the end of the flood");
}
