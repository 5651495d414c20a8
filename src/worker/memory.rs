//! What the kernel reports about a process's memory, and whether it has killed for lack of memory.

use std::fs;
use std::path::PathBuf;

use crate::cgroup::{self, Group};

/// The resident memory of a process in bytes.
pub(super) fn resident(pid: u32) -> Option<u64> {
    let statm = fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    pages.checked_mul(rustix::param::page_size() as u64)
}

/// The memory of a process in bytes, with shared pages divided among their users (PSS). Where the system does not
/// report that, its resident memory.
pub fn share_of_memory(pid: u32) -> Option<u64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let pss =
        rollup.lines().find_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    pss.map_or_else(|| resident(pid), |kilobytes| kilobytes.checked_mul(1024))
}

/// How often the kernel has killed for lack of memory, in the pool's cgroup or otherwise in the server's own, at some
/// moment.
#[derive(Debug)]
pub(super) struct OomKills {
    events: Option<PathBuf>,
    count: Option<u64>,
}

impl OomKills {
    /// The count as it is now.
    pub(super) fn now(group: Option<&Group>) -> Self {
        let of_the_pool = group.and_then(Group::memory_events);
        Self::counted(of_the_pool.or_else(|| Some(cgroup::own()?.join("memory.events"))))
    }

    fn counted(events: Option<PathBuf>) -> Self {
        let count = events.as_ref().and_then(|path| fs::read_to_string(path).ok()).and_then(|events| count(&events));
        Self { events, count }
    }

    /// The same count, now.
    pub(super) fn recounted(&self) -> Self {
        Self::counted(self.events.clone())
    }

    /// Returns whether there was a kill in between.
    pub(super) fn any_since(&self) -> bool {
        matches!((self.count, self.recounted().count), (Some(before), Some(now)) if now > before)
    }
}

fn count(events: &str) -> Option<u64> {
    events.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kills_are_counted_and_not_the_limits_reached() {
        assert_eq!(count("low 0\nhigh 7\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n"), Some(2));
        assert_eq!(count("low 0\n"), None);
    }

    #[test]
    fn a_process_has_memory_and_one_that_is_not_there_has_none() {
        assert!(resident(std::process::id()).unwrap() > 1 << 20);
        assert_eq!(resident(u32::MAX), None);
        assert!(share_of_memory(std::process::id()).unwrap() > 1 << 18);
        assert_eq!(share_of_memory(u32::MAX), None);
    }
}
