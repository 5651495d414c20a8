//! One line of what Python prints or logs: its text, its level, and the worker and call that wrote it.

use std::fmt;

use tokio::sync::OwnedSemaphorePermit;

use crate::call::{CallId, Mfa, WorkerId};

/// A line that says more than its text begins with this byte. Twin of `priv/python/portpool/_lines.py` and `_records.py`.
const RECORD: u8 = 0x1e;
/// Separates its fields: the number of a call and a printed text; or the level, the name of the logger, the number of the
/// call, or nothing, and the text of a record of `logging`.
const FIELD: char = '\x1f';
/// Stands for a line break inside the text of a record.
const NEWLINE: &str = "\x1d";

/// The level of a line. Printed lines are `Info`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Details for debugging.
    Debug,
    /// Normal operation.
    Info,
    /// Something unexpected.
    Warning,
    /// A failure.
    Error,
}

impl Level {
    /// Its name, as in docs/protocol.md 14.
    pub fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    fn of(name: &str) -> Option<Self> {
        [Self::Debug, Self::Info, Self::Warning, Self::Error].into_iter().find(|level| level.name() == name)
    }
}

/// The call that a worker is running.
#[derive(Clone, Debug)]
pub(super) struct InCall {
    pub(super) id: CallId,
    pub(super) mfa: Mfa,
}

/// Who may have written what is in a log pipe now.
#[derive(Clone, Debug, Default)]
pub(super) struct Writers {
    /// The calls that are running, or were just now.
    pub(super) calls: Vec<InCall>,
    /// The only one of them that can have written a line that does not say who has.
    pub(super) only: Option<CallId>,
}

impl Writers {
    /// The call that wrote a line, if it can be known.
    pub(super) fn of(&self, words: &Words) -> Option<&InCall> {
        let call = words.call.or(self.only)?;
        self.calls.iter().find(|running| running.id == call)
    }
}

/// The content of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Words {
    /// The call that wrote it, if it says so.
    pub(super) call: Option<CallId>,
    pub(super) level: Level,
    pub(super) logger: Option<String>,
    pub(super) text: String,
}

impl Words {
    /// A line of the server itself.
    pub(super) fn own(level: Level, text: String) -> Self {
        Self { call: None, level, logger: None, text }
    }

    /// Reads a line without its end: a record of `logging`, or a printed line.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let printed = || Self::own(Level::Info, String::from_utf8_lossy(bytes).into_owned());
        bytes.strip_prefix(&[RECORD]).and_then(record).unwrap_or_else(printed)
    }
}

fn record(bytes: &[u8]) -> Option<Words> {
    let text = String::from_utf8_lossy(bytes);
    let (first, rest) = text.split_once(FIELD)?;
    if let Ok(call) = first.parse() {
        return Some(Words { call: Some(CallId(call)), ..Words::own(Level::Info, rest.to_owned()) });
    }
    let level = Level::of(first)?;
    let (logger, rest) = rest.split_once(FIELD)?;
    let (call, text) = rest.split_once(FIELD)?;
    let call = if call.is_empty() { None } else { Some(CallId(call.parse().ok()?)) };
    Some(Words { call, level, logger: Some(logger.to_owned()), text: text.replace(NEWLINE, "\n") })
}

/// The form used in an error, whose reader has no other context.
impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.logger {
            Some(logger) => write!(f, "{}: {logger}: {}", self.level.name(), self.text),
            None => f.write_str(&self.text),
        }
    }
}

/// One line on its way to the owner.
#[derive(Debug)]
pub struct Line {
    /// The worker that wrote it; 0 is a template. For a line of the server, the worker it is about, if any.
    pub worker: Option<WorkerId>,
    /// The call that it was running.
    pub call: Option<Mfa>,
    /// `stdout` or `stderr`; `server` for a line of the server itself.
    pub stream: &'static str,
    /// Its level.
    pub level: Level,
    /// The name of the logger, if Python's `logging` wrote it.
    pub logger: Option<String>,
    /// Its text.
    pub text: String,
    /// Its place among the lines on their way.
    pub(super) _room: OwnedSemaphorePermit,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_a_level_a_logger_a_call_and_all_its_lines() {
        for (field, call) in [("7", Some(CallId(7))), ("", None)] {
            let line = format!("\x1eerror\x1fjobs.load\x1f{field}\x1fone\x1dtwo \x1f three");
            let (logger, text) = (Some("jobs.load".into()), "one\ntwo \x1f three".into());
            assert_eq!(Words::read(line.as_bytes()), Words { call, level: Level::Error, logger, text });
        }
        let words = Words::read(b"\x1eerror\x1fjobs.load\x1f7\x1fone\x1dtwo \x1f three");
        assert_eq!(words.to_string(), "error: jobs.load: one\ntwo \x1f three");
    }

    #[test]
    fn a_printed_line_says_which_call_printed_it() {
        let words = Words::read("\x1e12\x1f\x1eerror\x1f".as_bytes());
        assert_eq!((words.call, words.text.as_str()), (Some(CallId(12)), "\x1eerror\x1f"));
    }

    #[test]
    fn whatever_else_is_printed_is_only_text() {
        for bytes in [
            &b"plain"[..],
            b"",
            b"\x1e",
            b"\x1eerror\x1fjobs",
            b"\x1eloud\x1fjobs\x1f\x1ftext",
            b"\x1eerror\x1fjobs\x1fx\x1ftext",
            b"\x1e-1\x1ftext",
            b"\x1f\x1f",
        ] {
            let expected = Words::own(Level::Info, String::from_utf8(bytes.to_vec()).unwrap());
            assert_eq!(Words::read(bytes), expected);
        }
        assert_eq!(Words::read(b"\xff").text, "\u{fffd}");
    }
}
