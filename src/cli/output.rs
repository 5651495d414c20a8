//! stdout of the commands, for results only. A command ends quietly when nobody reads any more.

use std::io::{self, ErrorKind, Write};
use std::ops::ControlFlow;

use anyhow::Context;

/// Writes to stdout at once. `Break` means that nobody reads it any more.
///
/// # Errors
/// stdout cannot be written for another reason.
pub(super) fn print(bytes: &[u8]) -> anyhow::Result<ControlFlow<()>> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        Err(error) => Err(error).context("stdout cannot be written"),
    }
}

/// Writes a line to stdout in the same way.
///
/// # Errors
/// stdout cannot be written for another reason.
pub(super) fn print_line(line: &str) -> anyhow::Result<ControlFlow<()>> {
    print(format!("{line}\n").as_bytes())
}
