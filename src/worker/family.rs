//! Which processes descend from which, from /proc.

use std::collections::BTreeSet;
use std::fs;

/// These processes and all their descendants.
pub(super) fn with_descendants(roots: impl IntoIterator<Item = u32>) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    let mut left: Vec<u32> = roots.into_iter().collect();
    while let Some(pid) = left.pop() {
        if found.insert(pid) {
            left.extend(children_of(pid));
        }
    }
    found
}

/// The pids of the direct children of a process.
pub(super) fn children_of(pid: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>())
        .collect()
}

/// The process group of a running process.
pub(super) fn group_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program, in parentheses, may contain anything. Its state, its parent and its group follow.
    let (_, fields) = stat.rsplit_once(") ")?;
    fields.split(' ').nth(2)?.parse().ok()
}
