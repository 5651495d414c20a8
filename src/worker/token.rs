//! The variable that marks all processes of a worker, including its children: the server's pid and the worker's number.

use std::fs;

use crate::call::WorkerId;

/// Its name.
pub(super) const TOKEN: &str = "PORTPOOL_WORKER";

/// Its value for a worker of this server. The number always has the same width, because a forked worker overwrites it
/// in place.
pub(super) fn token(worker: WorkerId) -> String {
    format!("{}.{:020}", std::process::id(), worker.0)
}

/// The number in the token of a generation's template. No worker has it, so that what a template leaves behind is not
/// mistaken for the next one's.
pub(super) fn of_template(generation: u64) -> WorkerId {
    WorkerId(u64::MAX - generation)
}

/// Returns whether a number is that of a template: generations and workers are counted from 1.
pub(super) fn is_template(number: WorkerId) -> bool {
    number.0 > u64::MAX / 2
}

/// The worker of this server that a process belongs to.
pub(super) fn worker_of(pid: u32) -> Option<WorkerId> {
    let (server, worker) = read(pid)?;
    (server == std::process::id()).then_some(worker)
}

/// The server and the worker that a process belongs to. `None` if it has ended, belongs to another user, or has cleared
/// its environment.
pub(super) fn read(pid: u32) -> Option<(u32, WorkerId)> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let token = environment
        .split(|byte| *byte == 0)
        .filter_map(|entry| std::str::from_utf8(entry).ok())
        .find_map(|entry| entry.strip_prefix(TOKEN)?.strip_prefix('='))?;
    let (server, worker) = token.split_once('.')?;
    Some((server.parse().ok()?, WorkerId(worker.parse().ok()?)))
}
