//! The rows of docs/faults.md that no other file covers: what the caller gets, and that nobody else is affected.

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

/// What cannot be run on this machine.
struct Skipped {
    row: &'static str,
    /// Nothing else shows the row.
    whole: bool,
    why: &'static str,
}

fn skipped() -> Vec<Skipped> {
    let gcc = || (!has_gcc()).then_some("there is no gcc");
    let mount = (!may_mount()).then_some("this user may not mount, so that /proc stays");
    let all = [
        ("8a", true, cgroup::memory_missing()),
        ("36", false, cgroup::missing()),
        ("41", false, mount),
        ("41", false, gcc()),
        ("43", true, gcc()),
    ];
    all.into_iter().filter_map(|(row, whole, why)| Some(Skipped { row, whole, why: why? })).collect()
}
