//! The rows of docs/faults.md that no other file is about: what the caller gets, and that nobody else is harmed.

mod calls;
mod defect;
mod results;
mod system;
mod table;

use std::process::Command;

/// Whether this machine has a C compiler, which row 43 needs.
fn has_gcc() -> bool {
    Command::new("gcc").arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Whether this user may mount, which a test of row 41 needs.
fn may_mount() -> bool {
    Command::new("unshare").args(["-m", "true"]).output().is_ok_and(|output| output.status.success())
}

/// The tests that cannot be run on this machine, and why.
fn skipped() -> Vec<&'static str> {
    let mount = (!may_mount()).then_some("row 41 without /proc: this user may not mount");
    let gcc = (!has_gcc()).then_some("row 43: there is no gcc");
    mount.into_iter().chain(gcc).collect()
}
