//! Turns packets into requests: docs/protocol.md 3, 4 and 7.3.

use std::borrow::Cow;
use std::time::Instant;

use bytes::Bytes;

use super::options::{self, CallOptions, MAX_WORKERS};
use super::reader::Packet;
use super::rules::Rules;
use crate::call::{Blame, Body, Call, Failure, Form, Mfa, Phase, Reason};
use crate::codec::{self, CodecError, CodecErrorKind, etf};
use crate::dispatcher::{PortId, Request};

/// What a packet turns into.
#[derive(Debug)]
pub(super) enum Parsed {
    /// A request. One that was only understood as far as its id is to be refused.
    Request(Request),
    /// An error that belongs to no request: docs/protocol.md 6.1.
    Error(Failure),
}

/// The name and arity of each request.
pub(super) const REQUESTS: [(&str, usize); 10] = [
    ("call", 6),
    ("cancel", 2),
    ("checkout", 3),
    ("checkin", 4),
    ("resize", 3),
    ("reload", 2),
    ("drain", 3),
    ("flush", 2),
    ("status", 2),
    ("ping", 2),
];

/// This many bytes are enough to read the id of a request.
const HEAD: usize = 64;

/// Reads a packet that arrived at this time.
pub(super) fn parse(packet: Packet, rules: &Rules, arrived: Instant) -> Parsed {
    match packet {
        Packet::Whole(bytes) => parse_whole(&bytes, rules, arrived),
        Packet::TooLong { head, length } => too_long(&head, length, rules.max_frame),
    }
}

fn parse_whole(packet: &Bytes, rules: &Rules, arrived: Instant) -> Parsed {
    let term = match etf::open(packet, rules.max_frame) {
        Ok(Cow::Borrowed(term)) => packet.slice_ref(term),
        Ok(Cow::Owned(term)) => Bytes::from(term),
        Err(error) => return Parsed::Error(malformed(&error)),
    };
    match read(&term, rules, arrived) {
        Ok(request) => Parsed::Request(request),
        Err(Rejection::With(id, failure)) => Parsed::Request(Request::Refuse(id, failure)),
        Err(Rejection::Without(failure)) => Parsed::Error(failure),
    }
}

/// Why a packet is not a request, with its id if that could be read.
enum Rejection {
    With(PortId, Failure),
    Without(Failure),
}

fn read(term: &Bytes, rules: &Rules, arrived: Instant) -> Result<Request, Rejection> {
    let mut cursor = etf::Cursor::new(term);
    let (name, id) = read_head(&mut cursor).map_err(Rejection::Without)?;
    let with_id = |failure| if name == "cancel" { Rejection::Without(failure) } else { Rejection::With(id, failure) };
    let request = match name {
        "call" => read_call(&mut cursor, term, rules, arrived).map(|call| Request::Call(id, Box::new(call))),
        "cancel" => Ok(Request::Cancel(id)),
        "checkout" => read_options(&mut cursor)
            .and_then(|opts| options::read_checkout(opts, rules, arrived))
            .map(|checkout| Request::Checkout(id, checkout)),
        "checkin" => read_checkin(&mut cursor, id),
        "resize" => read_size(&mut cursor).map(|size| Request::Resize(id, size)),
        "reload" => Ok(Request::Reload(id)),
        "drain" => read_options(&mut cursor)
            .and_then(|opts| options::read_drain(opts, rules))
            .map(|limit| Request::Drain(id, limit)),
        "flush" => Ok(Request::Flush(id)),
        "status" => Ok(Request::Status(id)),
        _ => Ok(Request::Ping(id)),
    };
    let request = request.map_err(with_id)?;
    cursor.end().map_err(|error| with_id(malformed(&error)))?;
    Ok(request)
}

/// `{call, Id, ...`
fn read_head(cursor: &mut etf::Cursor<'_>) -> Result<(&'static str, PortId), Failure> {
    let arity = cursor.tuple().map_err(|error| malformed(&error))?;
    let name = cursor.atom().map_err(|error| malformed(&error))?;
    let Some((known, wanted)) = REQUESTS.into_iter().find(|(known, _)| *known == name) else {
        let names: Vec<&str> = REQUESTS.into_iter().map(|(known, _)| known).collect();
        return Err(Failure::bad_request(format!("unknown request {name}: the requests are {}", names.join(", "))));
    };
    if arity != wanted {
        return Err(Failure::bad_request(format!("request {name} must be a tuple of {wanted} elements, not {arity}")));
    }
    let id = cursor.u64().map_err(|error| {
        Failure::bad_request(format!("the id of request {name} is not an integer from 0 to 2^64-1: {error}"))
    })?;
    Ok((known, id))
}

/// The rest of `{call, Id, ...`; `term` is all of it.
fn read_call(cursor: &mut etf::Cursor<'_>, term: &Bytes, rules: &Rules, arrived: Instant) -> Result<Call, Failure> {
    let module = read_name(cursor, "module")?;
    let function = read_name(cursor, "function")?;
    if !cursor.has_list_next() {
        return Err(Failure::bad_request(format!("the arguments of {module}:{function} are not a list")));
    }
    if !rules.allow.allows(&module, &function) {
        return Err(denied(&module, &function));
    }
    let args = cursor.term().map_err(|error| malformed(&error))?;
    let CallOptions { rules, policy, target, kwargs } = options::read_call(read_options(cursor)?, rules)?;
    let encoded = codec::call(&module, &function, args, kwargs, rules.values).map_err(|error| refused(&error))?;
    let buffers = encoded.buffers.into_iter().map(|buffer| term.slice_ref(buffer)).collect();
    let body = Body { pickle: encoded.pickle.into(), buffers };
    let mfa = Mfa { module: module.into(), function: function.into() };
    let form = Form { none: rules.values.none, max_frame: rules.max_frame };
    let fingerprint = (policy.retry > 0).then(|| mfa.fingerprint(&body));
    Ok(Call { mfa, body, limits: rules.limits, target, policy, form, fingerprint, arrived })
}

/// The options of a request, its last element.
fn read_options<'a>(cursor: &mut etf::Cursor<'a>) -> Result<&'a [u8], Failure> {
    cursor.term().map_err(|error| malformed(&error))
}

/// The rest of `{checkin, Id, ...`
fn read_checkin(cursor: &mut etf::Cursor<'_>, id: PortId) -> Result<Request, Failure> {
    let lease = cursor
        .u64()
        .map_err(|error| Failure::bad_request(format!("the lease is not an integer from 0 to 2^64-1: {error}")))?;
    let broken = options::read_checkin(read_options(cursor)?)?;
    Ok(Request::Checkin { id, lease, broken })
}

/// The rest of `{resize, Id, ...`
fn read_size(cursor: &mut etf::Cursor<'_>) -> Result<usize, Failure> {
    let size = cursor.u64().ok().filter(|size| (1..=MAX_WORKERS).contains(size));
    let size = size.and_then(|size| usize::try_from(size).ok());
    size.ok_or_else(|| Failure::bad_request(format!("the size is not an integer from 1 to {MAX_WORKERS}")))
}

fn read_name<'a>(cursor: &mut etf::Cursor<'a>, what: &str) -> Result<Cow<'a, str>, Failure> {
    cursor.text().map_err(|error| Failure::bad_request(format!("the name of the {what} is wrong: {error}")))
}

/// The id, if the beginning of the packet is that of a call.
pub(super) fn id_of_call(packet: &[u8]) -> Option<PortId> {
    let head = etf::open_head(packet, HEAD);
    let (name, id) = read_head(&mut etf::Cursor::new(&head)).ok()?;
    (name == "call").then_some(id)
}

/// A packet that is too long is not kept, but its beginning has the id of its call.
fn too_long(head: &[u8], length: usize, limit: usize) -> Parsed {
    let failure = too_large(length as u64, limit as u64);
    let head = head.strip_prefix(&[131]).and_then(|term| read_head(&mut etf::Cursor::new(term)).ok());
    match head {
        Some((name, id)) if name != "cancel" => Parsed::Request(Request::Refuse(id, failure)),
        _ => Parsed::Error(failure),
    }
}

fn too_large(bytes: u64, limit: u64) -> Failure {
    let message = format!("the packet has {bytes} bytes, more than max_frame ({limit}): send less, or raise max_frame");
    Failure::new(Reason::TooLarge, Phase::Call, Blame::Caller, message).with("bytes", bytes).with("limit", limit)
}

fn denied(module: &str, function: &str) -> Failure {
    let message = format!("this pool does not allow calls of {module}:{function} (option allow)");
    Failure::new(Reason::Denied, Phase::Call, Blame::Caller, message).with("module", module).with("function", function)
}

/// The bytes are not a valid request.
fn malformed(error: &CodecError) -> Failure {
    match error.kind {
        CodecErrorKind::TooLarge { bytes, limit } => too_large(bytes, limit),
        CodecErrorKind::Malformed | CodecErrorKind::Unencodable => {
            Failure::bad_request(format!("malformed packet: {error}"))
        }
    }
}

/// An argument cannot be represented in Python, or is not a term at all.
fn refused(error: &CodecError) -> Failure {
    match error.kind {
        CodecErrorKind::Unencodable => Failure::new(Reason::Unencodable, Phase::Call, Blame::Caller, error.to_string())
            .with("path", error.path.clone()),
        CodecErrorKind::Malformed | CodecErrorKind::TooLarge { .. } => malformed(error),
    }
}
