//! The events that the pool receives from a worker.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value};

use super::last_lines::last_words;
use super::process::Exit;
use super::wire::FromWorker;
use crate::allowance::Share;
use crate::call::CallId;
use crate::codec;

/// What happened to a worker.
#[derive(Debug)]
pub enum Event {
    /// It said hello.
    Started(Started),
    /// It answered its call.
    Replied(Reply),
    /// It answered a ping.
    Pong,
    /// It asks to be replaced.
    Replace(Replacement),
    /// It was killed because its time was over, after it was asked where Python was. `Ended` follows.
    Stopped(Stacks),
    /// It is dead and reaped, or could not be started. The last event.
    Ended(Ended),
}

/// A worker's hello.
#[derive(Debug)]
pub struct Started {
    /// Its operating system pid.
    pub pid: u32,
    /// The path on which it finds modules.
    pub path: Vec<String>,
}

/// An answer to a call: docs/worker_protocol.md 4.
#[derive(Debug)]
pub struct Reply {
    /// Which call.
    pub call: CallId,
    /// What kind of answer.
    pub kind: FromWorker,
    /// How long the function has run, to the microsecond, and up to 65 ms.
    pub run: Duration,
    /// A pickle.
    pub body: Bytes,
    /// The share that it holds until it is written.
    pub share: Share,
}

/// Why a worker asks to be replaced: docs/worker_protocol.md 4.4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// In its own words.
    pub reason: String,
    /// It must not take another call. Otherwise it serves until its successor is ready.
    pub at_once: bool,
}

impl Replacement {
    /// Reads the body of a `replace` frame.
    pub(super) fn read(body: &[u8]) -> Self {
        let (reason, fields) = fields(body);
        Self { reason, at_once: fields.get("at_once") == Some(&Value::Bool(true)) }
    }
}

/// Where Python was when its time was over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stacks {
    /// The stack of each thread, as written by faulthandler, up to 64 KiB.
    Dumped(String),
    /// The process was stopped, by SIGSTOP or a debugger, so it could not answer.
    WasStopped,
    /// It did not answer.
    None,
}

/// Why a worker could not become ready, in its own words.
#[derive(Clone, Debug, PartialEq)]
pub struct StartError {
    /// What it was doing, and what was raised.
    pub message: String,
    /// `type`, `traceback` and `frames`, as in docs/protocol.md 9.
    pub detail: Map<String, Value>,
}

impl StartError {
    /// Reads the body of a `failed` frame.
    pub(super) fn read(body: &[u8]) -> Self {
        let (message, detail) = fields(body);
        Self { message, detail }
    }
}

/// The fields that a worker may send with a message, beside `frames`: docs/worker_protocol.md 4 and 5. Their names become
/// atoms of the owner, so no others are passed on.
const FIELDS: [&str; 11] =
    ["argument", "at_once", "bytes", "function", "hint", "limit", "module", "path", "pid", "traceback", "type"];
/// The fields of an entry of `frames`.
const FRAME: [&str; 4] = ["code", "file", "function", "line"];

fn is_scalar(value: &Value) -> bool {
    !matches!(value, Value::Array(_) | Value::Object(_))
}

fn keep_known_fields(fields: &mut Map<String, Value>) {
    fields.retain(|name, value| match value {
        Value::Array(frames) if name == "frames" => {
            let is_known = |name: &String, value: &mut Value| FRAME.contains(&name.as_str()) && is_scalar(value);
            frames.retain_mut(|frame| frame.as_object_mut().map(|frame| frame.retain(is_known)).is_some());
            true
        }
        value => FIELDS.contains(&name.as_str()) && is_scalar(value),
    });
}

/// The message and the other known fields of a dict that a worker sent.
pub fn fields(body: &[u8]) -> (String, Map<String, Value>) {
    let value = codec::read(body).and_then(|document| document.to_json());
    let Ok(Value::Object(mut fields)) = value else {
        return ("the worker's answer is unreadable".to_owned(), Map::new());
    };
    let message = match fields.remove("message") {
        Some(Value::String(message)) => message,
        _ => String::new(),
    };
    keep_known_fields(&mut fields);
    (message, fields)
}

/// How a worker ended.
#[derive(Debug, Default)]
pub struct Ended {
    /// Its operating system pid, if there was a process.
    pub pid: Option<u32>,
    /// Its exit status or signal.
    pub exit: Option<Exit>,
    /// The calls that it had read and not answered: they may have begun. There is no more than one, unless it broke the
    /// protocol.
    pub read: Vec<CallId>,
    /// The last lines of its stderr.
    pub stderr: Vec<String>,
    /// Why there was no process, or how it broke the protocol.
    pub trouble: Option<String>,
    /// What it reported before it ended because it could not become ready.
    pub start_error: Option<StartError>,
    /// The kernel most likely killed it: it ended by a SIGKILL that was not ours, and since its start the kernel has
    /// killed in our cgroup for lack of memory. Known only with cgroup v2.
    pub oom: bool,
}

impl Ended {
    /// Its last words on stderr.
    pub fn last_words(&self) -> Option<&str> {
        last_words(&self.stderr)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn of_what_a_worker_says_only_known_fields_are_passed_on() {
        let Value::Object(mut fields) = json!({
            "type": "ValueError",
            "bytes": 7,
            "made_up": 1,
            "path": {"made_up": 1},
            "frames": [{"file": "x.py", "line": 1, "made_up": 2, "code": ["made_up"]}, [{"made_up": 3}], 4],
        }) else {
            panic!("an object")
        };
        keep_known_fields(&mut fields);
        let known = json!({"type": "ValueError", "bytes": 7, "frames": [{"file": "x.py", "line": 1}]});
        assert_eq!(Value::Object(fields), known);
    }
}
