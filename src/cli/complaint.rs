//! What people are told on stderr, and the exit statuses that go with it.

use std::io::{self, Write};

use serde_json::Value;

use crate::call::Failure;

pub(super) const OK: u8 = 0;
pub(super) const FAILED: u8 = 1;
pub(super) const USAGE: u8 = 2;
pub(super) const NO_POOL: u8 = 3;
/// What a shell reports for a command that Ctrl-C ended.
pub(super) const INTERRUPTED: u8 = 130;

/// Everything that helps a person: reason, message, traceback, hint, the last lines of stderr.
pub(super) fn describe(failure: &Failure) -> String {
    let mut text = failure.to_string();
    for key in ["traceback", "hint"] {
        if let Some(Value::String(more)) = failure.detail.get(key)
            && !more.is_empty()
        {
            text.push('\n');
            text.push_str(more.trim_end());
        }
    }
    if let Some(Value::Array(lines)) = failure.detail.get("stderr") {
        for line in lines.iter().filter_map(Value::as_str) {
            text.push_str("\n  ");
            text.push_str(line);
        }
    }
    text
}

/// Says something on stderr.
///
/// # Errors
/// stderr cannot be written.
pub(super) fn say(text: &str) -> io::Result<()> {
    writeln!(io::stderr().lock(), "portpool: {text}")
}

/// Says why a command ends with this status.
///
/// # Errors
/// stderr cannot be written.
pub(super) fn complain(status: u8, text: &str) -> anyhow::Result<u8> {
    say(text)?;
    Ok(status)
}
