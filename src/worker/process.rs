//! The only place that starts, signals and reaps processes.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::{Pid, Signal, WaitIdOptions};

use super::orphans::Children;
use super::pidfd::Pidfd;
use super::signals::Blocked;
use super::tracker;
use crate::call::WorkerId;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this status.
    Status(i32),
    /// By this signal.
    Signal(i32),
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "exit status {status}"),
            Self::Signal(signal) => match Signal::from_named_raw(*signal) {
                Some(name) => write!(f, "signal {signal} ({})", format!("{name:?}").replace("Signal::", "SIG")),
                None => write!(f, "signal {signal}"),
            },
        }
    }
}

/// A child process that leads its own process group. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Process {
    pid: Pid,
    pidfd: Pidfd,
    killed: AtomicBool,
    reaped: AtomicBool,
    children: Arc<Children>,
}

impl Process {
    /// Starts a command as the leader of a new process group. Call it on the runtime's thread, which lives as long as
    /// the server: a parent-death signal is sent when the *thread* that started the child ends. Without `pre_exec`, std
    /// uses `posix_spawn`, whose cost does not grow with our memory. The new process has the signals meant for the
    /// owner blocked.
    pub(crate) fn spawn(
        command: &mut Command,
        worker: Option<WorkerId>,
        children: &Arc<Children>,
    ) -> io::Result<(Self, Child)> {
        let blocked = Blocked::now()?;
        let mut child = command.process_group(0).spawn()?;
        drop(blocked);
        let pid = Pid::from_child(&child);
        let pidfd = Pidfd::open(pid).inspect_err(|_| {
            // Without a descriptor to watch it by, it cannot be kept.
            let _ = child.kill();
            let _ = child.wait();
        })?;
        let process = Self::watched(pid, pidfd, children);
        children.started(process.pid(), worker);
        Ok((process, child))
    }

    fn watched(pid: Pid, pidfd: Pidfd, children: &Arc<Children>) -> Self {
        let (killed, reaped) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { pid, pidfd, killed, reaped, children: Arc::clone(children) }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Takes over a process that a template has forked: a child of ours that was not started here. It will lead its own
    /// group.
    pub(crate) fn adopt(pid: u32, worker: WorkerId, children: &Arc<Children>) -> io::Result<Self> {
        let known = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
        let pidfd = Pidfd::open(known)?;
        // Fails if it is not our child: then nobody keeps its pid for us.
        pidfd.wait(WaitIdOptions::NOWAIT)?;
        children.started(pid, Some(worker));
        Ok(Self::watched(known, pidfd, children))
    }

    /// Sends a signal to the process alone.
    pub(crate) fn signal(&self, signal: Signal) {
        if self.reaped.load(Ordering::Relaxed) {
            return;
        }
        // This can only fail because the process has ended.
        let _ = self.pidfd.signal(signal);
    }

    /// Returns whether it is stopped, by a signal or a debugger: then only SIGKILL works.
    pub(crate) fn is_stopped(&self) -> bool {
        self.is_in(&['T', 't'])
    }

    /// Returns whether it runs or waits for a processor.
    pub(crate) fn is_runnable(&self) -> bool {
        self.is_in(&['R'])
    }

    /// Whether the kernel says that it is in one of these states.
    fn is_in(&self, states: &[char]) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap_or_default();
        // The name of the program, in parentheses, may contain anything.
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(states))
    }

    /// Kills the process and its whole group, now.
    pub(crate) fn kill(&self) {
        self.killed.store(true, Ordering::Relaxed);
        self.kill_group();
    }

    /// Returns whether it was killed before it was reaped.
    pub(crate) fn was_killed(&self) -> bool {
        self.killed.load(Ordering::Relaxed)
    }

    fn kill_group(&self) {
        // The leader may have moved to another group. If somebody else has reaped it, the pid may belong to another
        // process.
        let is_gone = || self.pidfd.signal(Signal::KILL) == Err(rustix::io::Errno::SRCH);
        if self.reaped.load(Ordering::Relaxed) || is_gone() {
            return;
        }
        if !tracker::kill_all_others(self.pid(), || self.children.unknown()) {
            // This can only fail because there is nothing left to kill.
            let _ = rustix::process::kill_process_group(self.pid, Signal::KILL);
        }
    }

    /// Waits until the process has ended. It still has to be reaped.
    ///
    /// Cancellation: may be dropped at any time.
    pub(crate) async fn ended(&self) -> io::Result<()> {
        self.pidfd.ended().await
    }

    /// Kills the rest of the group, while its number cannot be reused, and takes the exit status. A process that has
    /// not ended yet is reaped when it does.
    pub(crate) fn reap(&self) -> io::Result<Exit> {
        self.kill_group();
        self.reaped.store(true, Ordering::Relaxed);
        let status = self.pidfd.wait(WaitIdOptions::empty());
        if matches!(status, Ok(None)) {
            self.children.killed(self.pid());
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.children.reaped(self.pid());
        let status = status?.ok_or(io::ErrorKind::WouldBlock)?;
        Ok(match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => Exit::Status(code),
            (None, signal) => Exit::Signal(signal.unwrap_or_default()),
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.reaped.load(Ordering::Relaxed) {
            let _ = self.reap();
        }
    }
}
