//! `portpool roundtrip`: the pickle of a result in, that of an argument out, through a term. For `portpool.testing`.
//!
//! stdin is a pickle as a worker writes it. stdout is one line of JSON and, unless that has an `error`, the buffers and
//! the pickle of a call whose only argument is the value (docs/worker_protocol.md 2.3 and 3). Exit status: 0, or 1 if
//! the call of a function that returned the value would fail.

use std::io::{self, Read};
use std::ops::ControlFlow;

use anyhow::Context;
use serde_json::{Value, json};

use super::complaint::{FAILED, OK};
use super::output::{print, print_line};
use crate::call::{Blame, Failure, Form, Phase, Reason, Returned};
use crate::codec::etf::tag::{LIST_EXT, NIL_EXT};
use crate::codec::{self, CodecError, Encoded, NoneIs, Options};
use crate::config::MAX_FRAME;
use crate::port;

/// The function of the call. It is never called, and its module is always there.
const FUNCTION: (&str, &str) = ("builtins", "repr");
/// A list of one term, without version byte: its head and its tail.
const LIST: ([u8; 5], [u8; 1]) = ([LIST_EXT, 0, 0, 0, 1], [NIL_EXT]);

/// Runs the command; returns the exit status.
///
/// # Errors
/// Standard input cannot be read, or standard output cannot be written.
pub fn run() -> anyhow::Result<u8> {
    let mut pickle = Vec::new();
    io::stdin().lock().read_to_end(&mut pickle).context("stdin cannot be read")?;
    match arguments(pickle) {
        Ok(args) => answer(&args),
        Err(failure) => refuse(&failure),
    }
}

/// The list with the value as a term.
fn arguments(pickle: Vec<u8>) -> Result<Vec<u8>, Failure> {
    let form = Form { none: NoneIs::Nil, max_frame: MAX_FRAME };
    let value = Returned { pickle: pickle.into(), form, meta: None };
    port::check_result(&value)?;
    let document = codec::read(&value.pickle).map_err(|error| unexpected(&error))?;
    let term = document.to_etf_with_bytes_apart().map_err(|error| unexpected(&error))?;
    Ok([&LIST.0, term.as_slice(), &LIST.1].concat())
}

/// Writes the value for Python.
fn answer(args: &[u8]) -> anyhow::Result<u8> {
    let (module, function) = FUNCTION;
    let Encoded { pickle, buffers } = match codec::call(module, function, args, None, Options::default()) {
        Ok(encoded) => encoded,
        Err(error) => return refuse(&not_for_python(&error)),
    };
    let lengths: Vec<usize> = buffers.iter().map(|buffer| buffer.len()).collect();
    let head = json!({"version": env!("CARGO_PKG_VERSION"), "buffers": lengths, "pickle": pickle.len()});
    if print_line(&head.to_string())?.is_break() {
        return Ok(OK);
    }
    for part in buffers.into_iter().chain([pickle.as_slice()]) {
        if let ControlFlow::Break(()) = print(part)? {
            break;
        }
    }
    Ok(OK)
}

fn refuse(failure: &Failure) -> anyhow::Result<u8> {
    let text = |key: &str| failure.detail.get(key).and_then(Value::as_str).unwrap_or_default();
    let error = json!({
        "reason": failure.reason.name(),
        "message": failure.message,
        "path": text("path"),
        "type": text("type"),
    });
    let _ = print_line(&json!({"version": env!("CARGO_PKG_VERSION"), "error": error}).to_string())?;
    Ok(FAILED)
}

/// The caller would get the value, but Python cannot hold it.
fn not_for_python(error: &CodecError) -> Failure {
    // The value is the first and only argument.
    let path = error.path.strip_prefix("argument 1").unwrap_or(&error.path);
    let path = path.strip_prefix(", ").unwrap_or(path);
    let place = if path.is_empty() { String::new() } else { format!("{path}: ") };
    let message = format!("the result: {place}{} (the caller gets it, but Python cannot hold it)", error.message);
    Failure::new(Reason::Unencodable, Phase::Call, Blame::Caller, message).with("path", path)
}

fn unexpected(error: &CodecError) -> Failure {
    Failure::new(Reason::Internal, Phase::Reply, Blame::Server, error.to_string())
}
