//! Python's resource tracker: a helper process of a worker that removes the shared memory and named semaphores that the
//! worker leaves behind. It does so, and ends, once all processes that used it are gone. It is therefore not killed
//! with its worker, but has a little time.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use tokio::time::Instant;

use super::family;
use super::pidfd::kill_if;

/// How long a tracker has after its worker's death.
pub(super) const CLEAN_UP: Duration = Duration::from_millis(500);

/// The maximum of that on a busy machine.
pub(super) const LONGEST: Duration = Duration::from_secs(2);

/// A part of the code of each tracker: that of `multiprocessing`, and that of loky, which joblib uses.
const CODE: &[u8] = b"resource_tracker import main";

/// How often to go through a group: one that forks without end is faster than any number of rounds.
const ROUNDS: usize = 100;

/// Returns whether a process is one: `python -c "from multiprocessing.resource_tracker import main;main(5)"`.
pub(super) fn is_tracker(pid: u32) -> bool {
    let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let mut words = command.split(|byte| *byte == 0).skip_while(|word| *word != b"-c");
    words.nth(1).is_some_and(|code| code.windows(CODE.len()).any(|window| window == CODE))
}

/// Kills the members of a process group except its trackers, if it has any; otherwise does nothing and returns false.
/// `orphans` returns our children that we have not started: a member whose parent is dead is one of them.
pub(super) fn kill_all_others(group: u32, orphans: impl Fn() -> Vec<u32>) -> bool {
    let mut killed = BTreeSet::new();
    for _ in 0..ROUNDS {
        // The leader's children first: those that it leaves behind at this moment are orphans then.
        let mut family = family::with_descendants([group]);
        family.extend(family::with_descendants(orphans()));
        let members = family.into_iter().filter(|pid| family::group_of(*pid) == Some(group));
        let (trackers, others): (Vec<u32>, Vec<u32>) = members.partition(|pid| is_tracker(*pid));
        if trackers.is_empty() {
            return false;
        }
        let found: Vec<u32> = others.into_iter().filter(|pid| killed.insert(*pid)).collect();
        if found.is_empty() {
            return true;
        }
        // This round may have missed what was forked during it.
        for pid in found {
            kill_if(pid, |pid| family::group_of(pid) == Some(group));
        }
    }
    false
}

/// The trackers among these processes and their descendants.
pub(super) fn among(roots: Vec<u32>) -> Vec<u32> {
    family::with_descendants(roots).into_iter().filter(|pid| is_tracker(*pid)).collect()
}

/// The time of a tracker. While it waits for a processor it can do nothing, so that does not count.
#[derive(Debug)]
pub(super) struct Time {
    begun: Instant,
    /// How long it had waited for a processor by then.
    waited: Duration,
    until: Instant,
}

impl Time {
    /// Starts now.
    pub(super) fn of(tracker: u32) -> Self {
        let begun = Instant::now();
        Self { begun, waited: waited(tracker), until: begun + CLEAN_UP }
    }

    /// Returns whether there is time left.
    pub(super) fn is_left(&mut self, tracker: u32) -> bool {
        let waited = waited(tracker).saturating_sub(self.waited);
        self.until = self.begun + (CLEAN_UP + waited).min(LONGEST);
        Instant::now() < self.until
    }

    /// When to check again.
    pub(super) fn look(&self) -> Instant {
        self.until
    }
}

/// How long a process has waited for a processor in its life, if the kernel reports it.
fn waited(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap_or_default();
    Duration::from_nanos(stat.split(' ').nth(1).and_then(|waited| waited.parse().ok()).unwrap_or_default())
}
