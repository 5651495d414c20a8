//! Sends packets to the dispatcher. Large ones are decoded on helper threads, so that small calls do not wait behind
//! them.

use std::io;
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::large::{self, LARGE};
use super::reader::{Packet, Reader};
use super::request::{self, Parsed};
use super::rules::Rules;
use crate::call::Failure;
use crate::dispatcher::{Reply, Request};
use crate::outbox::Outbox;

/// Reads requests until the owner closes its end. Reads none while the owner does not read its replies.
pub async fn read_requests(
    mut reader: Reader,
    rules: Rules,
    requests: mpsc::Sender<Request>,
    replies: Outbox<Reply>,
) -> io::Result<()> {
    loop {
        if replies.is_full() {
            tokio::select! {
                () = replies.room() => {}
                end = reader.end() => return end,
            }
        }
        let Some(packet) = reader.packet().await? else { return Ok(()) };
        let parsed = match packet {
            Packet::Whole(bytes) if large::size(&bytes, rules.max_frame) > LARGE => parse_large(bytes, &rules).await,
            packet => request::parse(packet, &rules, Instant::now()),
        };
        let request = match parsed {
            Parsed::Request(request) => request,
            Parsed::Error(failure) => Request::Error(failure),
        };
        // This can only fail once the dispatcher has ended, which ends this task too.
        let _ = requests.send(request).await;
    }
}

/// The dispatcher learns of a large call at once, so that it counts and can be cancelled; its contents follow. Any other large
/// request delays only the requests behind it.
///
/// Cancellation: may be dropped at any await; the packet is lost then.
async fn parse_large(packet: Bytes, rules: &Rules) -> Parsed {
    let arrived = Instant::now();
    let (bytes, rules) = (large::size(&packet, rules.max_frame), rules.clone());
    let id = request::id_of_call(&packet);
    let parse = move || request::parse(Packet::Whole(packet), &rules, arrived);
    let Some(id) = id else { return spawn_blocking(parse).await.unwrap_or_else(|_| Parsed::Error(malformed())) };
    let decoding = spawn_blocking(move || match parse() {
        Parsed::Request(Request::Call(_, call)) => Ok(*call),
        Parsed::Request(Request::Refuse(_, failure)) | Parsed::Error(failure) => Err(failure),
        // It begins like a call, so it is a call or is refused.
        Parsed::Request(_) => Err(malformed()),
    });
    Parsed::Request(Request::LargeCall { id, bytes, decoding })
}

fn malformed() -> Failure {
    Failure::bad_request("malformed packet")
}
