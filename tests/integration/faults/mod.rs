//! The rows of docs/faults.md that no other file is about: what the caller gets, and that nobody else is harmed.

mod calls;
mod defect;
mod results;
mod system;
mod table;

use std::process::Command;

use crate::cgroup;

/// Whether this machine has a C compiler, which rows 41 and 43 need.
fn has_gcc() -> bool {
    Command::new("gcc").arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Whether this user may mount, which a test of row 41 needs.
fn may_mount() -> bool {
    Command::new("unshare").args(["-m", "true"]).output().is_ok_and(|output| output.status.success())
}

/// The tests that cannot be run on this machine, and why.
fn skipped() -> Vec<String> {
    let mount = (!may_mount()).then(|| "row 41 without /proc: this user may not mount".to_owned());
    let gcc = (!has_gcc()).then(|| "rows 41 (no process) and 43: there is no gcc".to_owned());
    let missing = cgroup::missing().map(|why| format!("row 36 with a cgroup: {why}"));
    let memory = cgroup::memory_missing().map(|why| format!("row 8a: {why}"));
    [mount, gcc, missing, memory].into_iter().flatten().collect()
}
