//! Messages for people on stderr, and the exit statuses that go with them.

use std::io::{self, Write};

use serde_json::Value;

use crate::call::Failure;

pub(super) const OK: u8 = 0;
pub(super) const FAILED: u8 = 1;
pub(super) const USAGE: u8 = 2;
pub(super) const NO_POOL: u8 = 3;
/// The status that a shell reports for a command ended by Ctrl-C.
pub(super) const INTERRUPTED: u8 = 130;

/// Everything that helps a person: reason, message, traceback or stacks, hint, and the last lines of stderr unless they
/// were logged.
pub(super) fn describe(failure: &Failure) -> String {
    let mut text = failure.to_string();
    let traceback = text_of(failure, "traceback").filter(|traceback| !repeats(traceback, &failure.message));
    for more in [traceback, text_of(failure, "stacks"), text_of(failure, "hint")].into_iter().flatten() {
        text.push('\n');
        text.push_str(more);
    }
    if let Some(Value::Array(lines)) = failure.detail.get("stderr")
        && !tracing::enabled!(tracing::Level::INFO)
    {
        for line in lines.iter().filter_map(Value::as_str) {
            text.push_str("\n  ");
            text.push_str(line);
        }
    }
    text
}

fn text_of<'a>(failure: &'a Failure, key: &str) -> Option<&'a str> {
    let text = failure.detail.get(key)?.as_str()?.trim_end();
    (!text.is_empty()).then_some(text)
}

/// Returns whether a traceback only repeats the message with the full name of the exception's class. Code called
/// directly from outside Python has no frames.
fn repeats(traceback: &str, message: &str) -> bool {
    let message = message.trim_end().trim_end_matches(':');
    let name = traceback.split(':').next().unwrap_or_default();
    let module = name.rfind('.').map_or(0, |dot| dot + 1);
    !name.contains(char::is_whitespace) && traceback.get(module..).is_some_and(|short| message.ends_with(short))
}

/// Prints a message on stderr. If that is closed, there is nobody to tell.
pub(super) fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "portpool: {text}");
}

/// Prints why a command ends with this status; returns the status.
pub(super) fn complain(status: u8, text: &str) -> u8 {
    say(text);
    status
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{Blame, Phase, Reason};

    fn shown(message: &str, traceback: &str) -> String {
        let failure = Failure::new(Reason::Exception, Phase::Call, Blame::Worker, message);
        describe(&failure.with("traceback", traceback))
    }

    #[test]
    fn a_traceback_without_frames_is_not_shown() {
        for (message, traceback) in [
            ("ValueError: no", "ValueError: no\n"),
            ("JSONDecodeError: no", "json.decoder.JSONDecodeError: no\n"),
            ("KeyError: ", "KeyError\n"),
            ("E: two\nlines", "m.E: two\nlines\n"),
            ("the worker did not become ready: preload of m: ImportError: no m", "ImportError: no m\n"),
            ("init: E: 1.5: 2", "m.f.<locals>.E: 1.5: 2\n"),
        ] {
            assert_eq!(shown(message, traceback), format!("exception: {message}"));
        }
    }

    #[test]
    fn a_traceback_that_says_more_is_shown() {
        for traceback in [
            "Traceback (most recent call last):\n  File \"x.py\", line 1, in f\nValueError: no\n",
            "  File \"<string>\", line 1\n    1 +\n       ^\nValueError: no\n",
            "ValueError: no\na note\n",
            "KeyError: 1\n\nThe above exception was the direct cause of the following exception:\n\nValueError: no\n",
        ] {
            assert_eq!(
                shown("ValueError: no", traceback),
                format!("exception: ValueError: no\n{}", traceback.trim_end())
            );
        }
    }
}
