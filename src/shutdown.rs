//! The end of a process: what asks for it, and that nothing of ours outlives it.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{sleep, timeout};
use tracing::warn;

use crate::cgroup::Group;
use crate::worker;
pub use crate::worker::Blocked;

/// How long to wait for all processes together to be gone.
const LIMIT: Duration = Duration::from_secs(1);

/// How often to check whether a cgroup is empty.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// The signals that ask the server to end.
#[derive(Debug)]
pub struct Requests {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    quit: Signal,
}

impl Requests {
    /// From now on, these signals do not end the process.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            quit: signal(SignalKind::quit())?,
        })
    }

    /// Waits for SIGTERM, SIGINT, SIGHUP (the terminal is gone) or SIGQUIT.
    ///
    /// Cancellation: may be dropped at any time.
    pub async fn requested(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = self.hang_up.recv() => {}
            _ = self.quit.recv() => {}
        }
    }
}

/// Kills everything that still runs below this process or in the pool's cgroup, and waits until it is gone, including
/// the cgroup. As long as the owner lives, Python's resource trackers may clean up first.
pub async fn leave_nothing_behind(cgroup: Option<&Group>, owner_lives: bool) {
    if owner_lives {
        worker::await_trackers().await;
    }
    cgroup.iter().for_each(|group| group.kill());
    if !worker::end_all_children(LIMIT).await {
        warn!("some processes could not be killed within {LIMIT:?}");
    }
    if let Some(group) = cgroup
        && timeout(LIMIT, removed(group)).await.is_err()
    {
        warn!("the cgroup {group} could not be removed within {LIMIT:?}");
    }
}

/// A process moved into the cgroup from elsewhere is not a child of this process, so nothing reports its end.
async fn removed(group: &Group) {
    while !group.remove() {
        group.kill();
        sleep(LOOK_AGAIN).await;
    }
}
