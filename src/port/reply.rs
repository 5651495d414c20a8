//! Turns replies into packets: docs/protocol.md 2.4, 5, 6, 9 and 10.

use std::time::Duration;

use bytes::{BufMut, BytesMut};
use eetf::{Atom, Binary, FixInteger, List, Map, Term};

use super::request::REQUESTS;
use crate::call::{Blame, Failure, Meta, Mfa, Phase, Reason, Returned};
use crate::codec::{self, CodecError, CodecErrorKind, Options, control};
use crate::dispatcher::{Answer, PortId, Reply};
use crate::pool::{LastExit, Line, Status, WorkerStatus};
use crate::worker::Interpreter;

/// Room for what `meta` adds to a reply.
const META: usize = 128;

/// The empty list.
const NIL: [u8; 1] = [106];

/// What `ready` says besides the state of the pool.
#[derive(Clone, Debug)]
pub struct Ready {
    /// The workers' Python.
    pub python: Interpreter,
    /// Maximum size of a packet, in bytes.
    pub max_frame: usize,
}

/// Appends the packet for a reply. A reply that cannot be written becomes an error of its call. Returns false, and appends nothing,
/// if the result of a call would take more than `most` bytes.
#[must_use]
pub(super) fn write_up_to(most: usize, reply: &Reply, ready: &Ready, out: &mut BytesMut) -> bool {
    match reply {
        Reply::To(id, Answer::Value(value), _) => return write_value(*id, value, most, out),
        other => write(other, ready, out),
    }
    true
}

/// Appends the packet for a reply of any size.
pub(super) fn write(reply: &Reply, ready: &Ready, out: &mut BytesMut) {
    match reply {
        Reply::To(id, answer, _) => write_answer(*id, answer, out),
        Reply::Ready(status) => write_ready(ready, status, out),
        Reply::Line(line) => write_line(line, out),
        Reply::Error(failure) => write_error(failure, out),
    }
}

/// Appends the packet `{ready, 1, Info}`.
pub fn write_ready(ready: &Ready, status: &Status, out: &mut BytesMut) {
    let info = map([
        ("version", text(env!("CARGO_PKG_VERSION"))),
        ("pid", integer(std::process::id())),
        ("features", list(REQUESTS.map(|(name, _)| atom(name)))),
        (
            "python",
            map([
                ("executable", text(&ready.python.executable.to_string_lossy())),
                ("version", text(&ready.python.version)),
            ]),
        ),
        ("size", number(status.size)),
        ("max_overflow", number(status.max_overflow)),
        ("max_frame", number(ready.max_frame)),
        ("workers_ready", number(status.counts.ready())),
        ("last_start_error", last_start_error(status)),
    ]);
    write_packet(&tuple([atom("ready"), integer(1), info]), out);
}

/// Appends the packet `{error, Error}`.
pub fn write_error(failure: &Failure, out: &mut BytesMut) {
    write_packet(&tuple([atom("error"), error(failure)]), out);
}

/// Appends the packet `{log, Map}`: docs/protocol.md 14.
fn write_line(line: &Line, out: &mut BytesMut) {
    let or_nil = |value: Option<&str>| value.map_or_else(|| atom("nil"), text);
    let info = map([
        ("worker", line.worker.map_or_else(|| atom("nil"), |worker| long(worker.0))),
        ("call", or_nil(line.call.as_ref().map(Mfa::to_string).as_deref())),
        ("stream", atom(line.stream)),
        ("level", atom(line.level.name())),
        ("logger", or_nil(line.logger.as_deref())),
        ("text", text(&line.text)),
    ]);
    write_packet(&tuple([atom("log"), info]), out);
}

fn write_answer(id: PortId, answer: &Answer, out: &mut BytesMut) {
    match answer {
        Answer::Value(value) => drop(write_value(id, value, usize::MAX, out)),
        Answer::Failure(failure) => write_failure(id, failure, out),
        Answer::Leased { worker, pid } => {
            write_ok(id, &map([("id", long(worker.0)), ("pid", integer(*pid))]), out);
        }
        Answer::CheckedIn(ended) => write_ok(id, &boolean(*ended), out),
        Answer::Resized => write_ok(id, &atom("resized"), out),
        Answer::Reloaded => write_ok(id, &atom("reloaded"), out),
        Answer::Flushed => write_ok(id, &atom("flushed"), out),
        Answer::Drained => write_ok(id, &atom("drained"), out),
        Answer::Status(status) => write_ok(id, &status_map(status), out),
        Answer::Pong => write_ok(id, &atom("pong"), out),
    }
}

/// Returns false, and appends nothing, if the value would take more than `most` bytes.
fn write_value(id: PortId, value: &Returned, most: usize, out: &mut BytesMut) -> bool {
    let start = out.len();
    let Head { body, around, limit } = begin_value(id, value, out);
    match put_value(value, limit.min(most), out) {
        Ok(()) => {
            if let Some(meta) = &value.meta {
                put(&meta_map(meta), out);
            }
            finish(body, out);
        }
        Err(problem) => {
            out.truncate(start);
            if matches!(problem.kind, CodecErrorKind::TooLarge { bytes, .. } if most < limit && bytes <= limit as u64) {
                return false;
            }
            write_failure(id, &unencodable(&problem, around), out);
        }
    }
    true
}

/// Checks that the result of a call can be a reply.
///
/// # Errors
/// The failure that the caller would get instead.
pub fn check_result(value: &Returned) -> Result<(), Failure> {
    let mut out = BytesMut::new();
    let Head { around, limit, .. } = begin_value(0, value, &mut out);
    put_value(value, limit, &mut out).map_err(|problem| unencodable(&problem, around))
}

/// What is in a packet before a value.
struct Head {
    /// Where the packet begins, after its length.
    body: usize,
    /// How many bytes are not the value's.
    around: u64,
    /// How many may be.
    limit: usize,
}

#[inline]
fn begin_value(id: PortId, value: &Returned, out: &mut BytesMut) -> Head {
    let body = begin(id, out);
    put_ok(if value.meta.is_some() { 3 } else { 2 }, out);
    // The prefix and `{ok, ...}` count too, so that no packet is longer than `max_frame`.
    let around = out.len() - body;
    let limit = value.form.max_frame.saturating_sub(around + if value.meta.is_some() { META } else { 0 });
    Head { body, around: around as u64, limit }
}

#[inline]
fn put_value(value: &Returned, limit: usize, out: &mut BytesMut) -> Result<(), CodecError> {
    let options = Options { none: value.form.none, ..Options::default() };
    codec::read_with(&value.pickle, options).and_then(|document| document.to_etf(out, limit))
}

fn write_failure(id: PortId, failure: &Failure, out: &mut BytesMut) {
    let body = begin(id, out);
    put(&tuple([atom("error"), error(failure)]), out);
    finish(body, out);
}

fn write_ok(id: PortId, value: &Term, out: &mut BytesMut) {
    let body = begin(id, out);
    put_ok(2, out);
    put(value, out);
    finish(body, out);
}

/// Begins a packet, whose length is written once it is known, with `{reply, Id, ` in the form of docs/protocol.md 3.2.
fn begin(id: PortId, out: &mut BytesMut) -> usize {
    out.put_u32(0);
    let body = out.len();
    out.put_slice(&[131, 104, 3, 119, 5]);
    out.put_slice(b"reply");
    out.put_slice(&[110, 8, 0]);
    out.put_u64_le(id);
    body
}

/// `{ok, ` of a tuple with this many elements.
fn put_ok(arity: u8, out: &mut BytesMut) {
    out.put_slice(&[104, arity, 119, 2]);
    out.put_slice(b"ok");
}

fn finish(body: usize, out: &mut BytesMut) {
    let length = u32::try_from(out.len() - body).unwrap_or(u32::MAX);
    if let Some(field) = out.get_mut(body - 4..body) {
        field.copy_from_slice(&length.to_be_bytes());
    }
}

fn write_packet(term: &Term, out: &mut BytesMut) {
    out.put_u32(0);
    let body = out.len();
    out.put_u8(131);
    put(term, out);
    finish(body, out);
}

/// Writes one of our own terms. It can always be written; should that fail, the packet says at least so.
fn put(term: &Term, out: &mut BytesMut) {
    let start = out.len();
    if let Err(problem) = control::encode(term, out) {
        tracing::error!("a reply cannot be written: a defect, please report it: {problem}");
        out.truncate(start);
        out.put_slice(&NIL);
    }
}

/// The failure for a result that no term can represent, with `around` bytes of the reply around it.
fn unencodable(problem: &CodecError, around: u64) -> Failure {
    match problem.kind {
        CodecErrorKind::TooLarge { bytes, limit } => {
            let (bytes, limit) = (bytes.saturating_add(around), limit + around);
            let message =
                format!("the reply has {bytes} bytes, more than max_frame ({limit}): return less, or raise max_frame");
            Failure::new(Reason::TooLarge, Phase::Reply, Blame::Worker, message)
                .with("bytes", bytes)
                .with("limit", limit)
        }
        CodecErrorKind::Unencodable => {
            Failure::new(Reason::Unencodable, Phase::Reply, Blame::Worker, format!("the result: {problem}"))
                .with("path", problem.path.clone())
                .with("type", problem.type_name.clone())
        }
        CodecErrorKind::Malformed => Failure::new(
            Reason::Internal,
            Phase::Reply,
            Blame::Worker,
            format!("the worker's answer is unreadable: {problem}"),
        ),
    }
}

fn error(failure: &Failure) -> Term {
    map([
        ("reason", atom(failure.reason.name())),
        ("message", text(&failure.message)),
        ("phase", atom(failure.phase.name())),
        ("blame", atom(failure.blame.name())),
        ("retryable", boolean(failure.reason.retryable())),
        ("detail", control::from_json(&serde_json::Value::Object(failure.detail.clone()))),
    ])
}

fn meta_map(meta: &Meta) -> Term {
    map([
        ("queue_us", micros(meta.queue)),
        ("run_us", micros(meta.run)),
        ("worker", long(meta.worker.0)),
        ("pid", integer(meta.pid)),
        ("attempt", integer(meta.attempt)),
    ])
}

fn status_map(status: &Status) -> Term {
    map([
        ("state", atom(status.state())),
        ("size", number(status.size)),
        ("max_overflow", number(status.max_overflow)),
        ("idle", number(status.counts.idle)),
        ("busy", number(status.counts.busy)),
        ("starting", number(status.counts.starting)),
        ("stopping", number(status.counts.stopping)),
        ("overflow", number(status.overflow)),
        ("leased", number(status.leased)),
        ("waiting", number(status.waiting)),
        ("ahead", number(status.ahead)),
        ("waiting_bytes", number(status.waiting_bytes)),
        ("inflight_bytes", number(status.inflight_bytes)),
        ("max_waiting", number(status.totals.max_waiting)),
        ("max_busy", number(status.totals.max_busy)),
        ("refused", long(status.totals.refused)),
        ("generation", long(status.generation)),
        ("reloading", boolean(status.reloading)),
        ("draining", boolean(status.draining)),
        ("crash_loop", boolean(status.crash_loop)),
        ("last_start_error", last_start_error(status)),
        ("last_exit", status.last_exit.as_ref().map_or_else(|| atom("nil"), last_exit)),
        ("calls", long(status.totals.finished)),
        ("restarts", long(status.totals.restarts)),
        ("workers", list(status.workers.iter().map(worker_map))),
    ])
}

fn worker_map(worker: &WorkerStatus) -> Term {
    map([
        ("id", long(worker.id.0)),
        ("pid", integer(worker.pid)),
        ("state", atom(worker.state)),
        ("calls", long(worker.calls)),
        ("age_ms", millis(worker.age)),
        ("generation", long(worker.generation)),
        ("memory", long(worker.memory)),
        ("call", worker.call.as_ref().map_or_else(|| atom("nil"), |(mfa, _)| text(mfa))),
        ("running_ms", millis(worker.call.as_ref().map(|(_, running)| *running).unwrap_or_default())),
    ])
}

fn last_exit(exit: &LastExit) -> Term {
    map([("worker", long(exit.worker.0)), ("pid", integer(exit.pid.unwrap_or_default())), ("how", text(&exit.how))])
}

fn last_start_error(status: &Status) -> Term {
    status.last_start_error.as_ref().map_or_else(|| atom("nil"), error)
}

fn map<const N: usize>(entries: [(&str, Term); N]) -> Term {
    Map::from(entries.map(|(key, value)| (atom(key), value))).into()
}

fn tuple<const N: usize>(elements: [Term; N]) -> Term {
    eetf::Tuple::from(Vec::from(elements)).into()
}

fn list(elements: impl IntoIterator<Item = Term>) -> Term {
    List::from(elements.into_iter().collect::<Vec<_>>()).into()
}

fn atom(name: &str) -> Term {
    Atom::from(name).into()
}

fn boolean(value: bool) -> Term {
    atom(if value { "true" } else { "false" })
}

fn text(value: &str) -> Term {
    Binary::from(value.as_bytes().to_vec()).into()
}

fn millis(duration: Duration) -> Term {
    long(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

fn micros(duration: Duration) -> Term {
    long(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
}

fn integer(value: u32) -> Term {
    long(u64::from(value))
}

fn number(value: usize) -> Term {
    long(value as u64)
}

fn long(value: u64) -> Term {
    match i32::try_from(value) {
        Ok(small) => FixInteger::from(small).into(),
        Err(_) => eetf::BigInteger::from(value).into(),
    }
}
