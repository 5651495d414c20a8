//! Errors in the command line: a renamed option is reported with its new name.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// The options renamed before 1.0.
const RENAMED: [(&str, &str); 3] = [("--log", "--log-level"), ("--seconds", "--time"), ("--workers", "--size")];

/// Adds the new name of an option, if the error is that its old name is unknown.
pub(super) fn with_new_name(error: clap::Error) -> clap::Error {
    let Some(ContextValue::String(option)) = error.get(ContextKind::InvalidArg) else { return error };
    match RENAMED.iter().find(|(old, _)| old == option) {
        Some((old, new)) if error.kind() == ErrorKind::UnknownArgument => {
            clap::Error::raw(ErrorKind::UnknownArgument, format!("{old} is now called {new}\n"))
        }
        _ => error,
    }
}
