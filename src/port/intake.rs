//! Packets -> the dispatcher. The codec works on large ones on a helper thread, so that small calls do not wait behind them.

use std::io;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::LARGE;
use super::reader::{Packet, Reader};
use super::request::{self, Parsed};
use crate::allow_list::AllowList;
use crate::call::{Failure, Limits, OnCancel};
use crate::codec::Options;
use crate::config::Config;
use crate::dispatcher::{Reply, Request};
use crate::outbox::Outbox;

/// What the requests of a session have in common.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The limits of a call that brings none of its own.
    pub limits: Limits,
    /// What becomes of a running call that is cancelled, if it does not say.
    pub on_cancel: OnCancel,
    /// How often an idempotent call is made again that does not say.
    pub retry: u8,
    /// The longest lease of a checkout that does not say.
    pub lease_timeout: Option<Duration>,
    /// How long running calls have to end at a drain that does not say.
    pub drain_timeout: Option<Duration>,
    /// What values become, for a call that does not say.
    pub values: Options,
    /// The functions that calls may name.
    pub allow: AllowList,
    /// The largest packet, what a term may inflate to, and the largest reply.
    pub max_frame: usize,
}

impl Rules {
    /// The rules of a pool.
    pub fn of(config: &Config) -> Self {
        Self {
            limits: config.limits,
            on_cancel: config.on_cancel,
            retry: config.retry,
            lease_timeout: config.lease_timeout,
            drain_timeout: config.drain_timeout,
            values: config.values,
            allow: config.allow.clone(),
            max_frame: config.max_frame,
        }
    }
}

/// Reads requests until the owner has no more to say. As long as it does not read its replies, none are read.
pub async fn take_in(
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
            Packet::Whole(bytes) if bytes.len() > LARGE => parse_large(bytes, &rules),
            packet => request::parse(packet, &rules, Instant::now()),
        };
        let request = match parsed {
            Parsed::Request(request) => request,
            Parsed::Error(failure) => Request::Error(failure),
        };
        // It can only fail once the dispatcher has ended, which ends this task too.
        let _ = requests.send(request).await;
    }
}

/// The dispatcher hears of a large call at once, so that it can be cancelled and counts; what is in it follows.
fn parse_large(packet: Bytes, rules: &Rules) -> Parsed {
    let arrived = Instant::now();
    let Some(id) = request::id_of_call(&packet) else { return request::parse(Packet::Whole(packet), rules, arrived) };
    let (bytes, rules) = (packet.len(), rules.clone());
    let coming = spawn_blocking(move || match request::parse(Packet::Whole(packet), &rules, arrived) {
        Parsed::Request(Request::Call(_, call)) => Ok(*call),
        Parsed::Request(Request::Refuse(_, failure)) | Parsed::Error(failure) => Err(failure),
        // It begins as a call, so it is one or is refused.
        Parsed::Request(_) => Err(Failure::bad_request("malformed packet")),
    });
    Parsed::Request(Request::LargeCall { id, bytes, coming })
}
