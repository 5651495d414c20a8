//! Processes that a worker left behind become children of the server, which is a subreaper. Those of a dead worker are
//! killed, those of a living one are left alone, and all that end are reaped.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tracing::warn;

use super::family::children_of;
use super::token;
use super::tracker::{self, CLEAN_UP, LONGEST, Time};
use crate::call::WorkerId;

/// How often to check at the end if no signal arrives.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The processes that the server has started itself, or had forked, and has not reaped yet.
#[derive(Debug, Default)]
pub struct Children {
    own: Mutex<BTreeMap<u32, Option<WorkerId>>>,
    /// Processes that were killed and still have to be reaped, including orphans.
    killed: Mutex<BTreeSet<u32>>,
    /// The number of forks under way: an unregistered child may be about to be registered.
    forks: AtomicUsize,
    changed: Notify,
}

/// A fork by a template. While this lives, no orphan is touched.
#[must_use]
#[derive(Debug)]
pub(super) struct Forking(Arc<Children>);

impl Drop for Forking {
    fn drop(&mut self) {
        self.0.forks.fetch_sub(1, Ordering::Relaxed);
        self.0.changed.notify_one();
    }
}

impl Children {
    pub(super) fn started(&self, pid: u32, worker: Option<WorkerId>) {
        self.own().insert(pid, worker);
    }

    pub(super) fn reaped(&self, pid: u32) {
        self.own().remove(&pid);
        self.changed.notify_one();
    }

    /// Leaves one of our processes, which was killed and has not ended, to be reaped with the orphans. It is not an
    /// orphan itself.
    pub(super) fn killed(&self, pid: u32) {
        self.left_to_reap().insert(pid);
        self.reaped(pid);
    }

    fn left_to_reap(&self) -> MutexGuard<'_, BTreeSet<u32>> {
        self.killed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hold this from before a template is asked to fork until the new process is registered. Processes orphaned in
    /// between are checked afterwards.
    pub(super) fn forking(self: &Arc<Self>) -> Forking {
        self.forks.fetch_add(1, Ordering::Relaxed);
        Forking(Arc::clone(self))
    }

    fn own(&self) -> MutexGuard<'_, BTreeMap<u32, Option<WorkerId>>> {
        // Each change is one insert or remove, so a panic in between leaves nothing half done.
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Children that the server neither started nor had forked nor left to be reaped; `None` while a fork is under way.
    fn orphans(&self) -> Option<Vec<u32>> {
        (self.forks.load(Ordering::Relaxed) == 0).then(|| self.unknown())
    }

    /// Children that are not registered.
    pub(super) fn unknown(&self) -> Vec<u32> {
        let own = self.own();
        children().into_iter().filter(|pid| !own.contains_key(pid)).collect()
    }

    fn lives(&self, worker: WorkerId) -> bool {
        self.own().values().any(|own| *own == Some(worker))
    }
}

/// Makes the server inherit what its workers leave behind, and cleans up for as long as the server lives.
pub fn adopt_orphans(children: Arc<Children>) -> io::Result<()> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let mut child_ended = signal(SignalKind::child())?;
    tokio::spawn(async move {
        let mut left = LeftBehind::default();
        loop {
            tokio::select! {
                _ = child_ended.recv() => {}
                () = children.changed.notified() => {}
                () = left.time_is_over() => {}
            }
            left.clean_up(&children);
        }
    });
    Ok(())
}

/// What dead workers have left behind.
#[derive(Debug, Default)]
struct LeftBehind {
    /// Resource trackers, and how long they may clean up.
    trackers: BTreeMap<u32, Time>,
    /// When to check again even if nothing has happened.
    look: Option<Instant>,
}

impl LeftBehind {
    /// Waits until a tracker's time is over.
    async fn time_is_over(&self) {
        match self.look {
            Some(time) => sleep_until(time).await,
            None => pending().await,
        }
    }

    fn clean_up(&mut self, children: &Children) {
        // While a template forks, nothing is checked; afterwards `changed` triggers the check.
        self.look = None;
        let Some(orphans) = children.orphans() else { return };
        children.left_to_reap().retain(|pid| orphans.contains(pid));
        self.trackers.retain(|pid, _| orphans.contains(pid));
        orphans.into_iter().for_each(|orphan| self.clean_up_one(children, orphan));
        self.look = self.trackers.values().map(Time::look).min();
    }

    /// Reaps an orphan that has ended; kills one whose worker is dead, and a resource tracker when its time is over.
    /// One without a token cannot be attributed: it stays until the server ends.
    fn clean_up_one(&mut self, children: &Children, orphan: u32) {
        if reap(orphan) {
            self.trackers.remove(&orphan);
            return;
        }
        let Some(worker) = token::worker_of(orphan).filter(|worker| !children.lives(*worker)) else { return };
        let is_tracker = tracker::is_tracker(orphan);
        if children.left_to_reap().contains(&orphan) || is_tracker && self.may_clean_up(orphan, worker) {
            return;
        }
        self.trackers.remove(&orphan);
        // One log line for each.
        children.left_to_reap().insert(orphan);
        match token::is_template(worker) {
            _ if is_tracker => {
                warn!(
                    worker = worker.0,
                    pid = orphan,
                    "killed a resource tracker that did not end within {CLEAN_UP:?}"
                );
            }
            true => warn!(pid = orphan, "killed a process that a template left behind"),
            false => warn!(worker = worker.0, pid = orphan, "killed a process that the dead worker left behind"),
        }
        kill(orphan);
    }

    /// Returns whether a tracker still has time. A template's tracker is shared by all workers forked from it, and ends
    /// with the last of them.
    fn may_clean_up(&mut self, tracker: u32, worker: WorkerId) -> bool {
        if token::is_template(worker) {
            return true;
        }
        let time = self.trackers.entry(tracker).or_insert_with(|| Time::of(tracker));
        time.is_left(tracker)
    }
}

/// Waits until no resource tracker runs below this process, for at most the time that one may take. No worker may be
/// left.
pub async fn await_trackers() {
    let longest = Instant::now() + LONGEST;
    let Ok(mut child_ended) = signal(SignalKind::child()) else { return };
    let mut times: BTreeMap<u32, Time> = BTreeMap::new();
    while Instant::now() < longest {
        let trackers = tracker::among(children());
        let mut are_left =
            trackers.into_iter().map(|pid| times.entry(pid).or_insert_with(|| Time::of(pid)).is_left(pid));
        if !are_left.any(|is_left| is_left) {
            return;
        }
        let _ = timeout(LOOK_AGAIN, child_ended.recv()).await;
    }
}

/// Kills everything that is left, including children of children, and waits up to this long until it is gone. Returns
/// false if it is not.
pub async fn end_all_children(limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    let Ok(mut child_ended) = signal(SignalKind::child()) else { return false };
    loop {
        let left: Vec<u32> = children().into_iter().filter(|pid| !reap(*pid)).collect();
        if left.is_empty() {
            return true;
        }
        left.into_iter().for_each(kill);
        // The children of a killed process become ours only then, so one round is not enough.
        let next = timeout(LOOK_AGAIN, child_ended.recv());
        if timeout_at(deadline, next).await.is_err() {
            return false;
        }
    }
}

/// The pids of all direct children.
fn children() -> Vec<u32> {
    children_of(std::process::id())
}

/// Takes the exit status of a child that has ended; false if it is still running.
fn reap(pid: u32) -> bool {
    let Some(pid) = to_pid(pid) else { return true };
    !matches!(rustix::process::waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG), Ok(None))
}

fn kill(pid: u32) {
    if let Some(pid) = to_pid(pid) {
        // This can only fail if it ended by itself; it is our child, so the pid is still its own.
        let _ = rustix::process::kill_process(pid, Signal::KILL);
    }
}

fn to_pid(pid: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid).ok()?)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn while_a_template_forks_a_child_that_nobody_knows_is_no_orphan() {
        let children = Arc::new(Children::default());
        let mut child = Command::new("sleep").arg("3600").spawn().unwrap();
        assert!(children.orphans().unwrap().contains(&child.id()));
        let forks = [children.forking(), children.forking()];
        for fork in forks {
            assert_eq!(children.orphans(), None);
            drop(fork);
        }
        assert!(children.orphans().unwrap().contains(&child.id()));
        children.started(child.id(), Some(WorkerId(1)));
        assert!(!children.orphans().unwrap().contains(&child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
