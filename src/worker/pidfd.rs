//! A process as a descriptor: it becomes readable when a child ends, and a signal sent through it hits no other process.
//! Without pidfds, a pipe and the pid are used.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process, pidfd_open, pidfd_send_signal,
};
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{SignalKind, signal};

/// A child of this process, reaped only here: until then its pid cannot belong to another process.
#[derive(Debug)]
pub(super) struct Pidfd {
    pid: Pid,
    ended: AsyncFd<OwnedFd>,
    /// Whether a pipe is used, because the kernel, or what stands in front of it (valgrind, a sandbox), has no pidfds.
    stands_in: bool,
}

impl Pidfd {
    /// Call it on the runtime's thread.
    pub(super) fn open(pid: Pid) -> io::Result<Self> {
        let (fd, stands_in) = match pidfd_open(pid, PidfdFlags::NONBLOCK) {
            Ok(fd) => (fd, false),
            // Linux before 5.10 lacks this flag. It only matters when waiting for a process that has not ended.
            Err(Errno::INVAL) => (pidfd_open(pid, PidfdFlags::empty())?, false),
            Err(Errno::NOSYS | Errno::PERM) => (closes_when_it_ends(pid)?, true),
            Err(error) => return Err(error.into()),
        };
        #[expect(
            deprecated,
            reason = "its successor is unsafe because of types that may close their descriptor early: OwnedFd does not"
        )]
        let ended = AsyncFd::new(fd)?;
        Ok(Self { pid, ended, stands_in })
    }

    /// Waits until the process has ended. It still has to be reaped.
    ///
    /// Cancellation: may be dropped at any time.
    pub(super) async fn ended(&self) -> io::Result<()> {
        self.ended.readable().await.map(drop)
    }

    /// Sends a signal to the process alone.
    ///
    /// # Errors
    /// SRCH: it has been reaped.
    pub(super) fn signal(&self, signal: Signal) -> rustix::io::Result<()> {
        if self.stands_in {
            return kill_process(self.pid, signal);
        }
        pidfd_send_signal(&self.ended, signal)
    }

    /// How the process ended, if it has; reaps it unless the options say otherwise.
    ///
    /// # Errors
    /// CHILD: it is not a child of this process, or has been reaped.
    pub(super) fn wait(&self, options: WaitIdOptions) -> rustix::io::Result<Option<WaitIdStatus>> {
        let id = if self.stands_in { WaitId::Pid(self.pid) } else { WaitId::PidFd(self.ended.as_fd()) };
        rustix::process::waitid(id, WaitIdOptions::EXITED | WaitIdOptions::NOHANG | options)
    }
}

/// Kills a process that need not be a child of this one, if it is one of those that are meant. Returns whether it was.
pub(super) fn kill_if(pid: u32, is_meant: impl FnOnce(u32) -> bool) -> bool {
    let Some(known) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return false };
    // The descriptor first: the process that is examined is then the one that is killed.
    match pidfd_open(known, PidfdFlags::empty()) {
        Ok(process) => is_meant(pid) && pidfd_send_signal(&process, Signal::KILL).is_ok(),
        Err(Errno::NOSYS | Errno::PERM) => is_meant(pid) && kill_process(known, Signal::KILL).is_ok(),
        Err(_) => false,
    }
}

/// The reading end of a pipe whose writing end is closed when the process ends.
fn closes_when_it_ends(pid: Pid) -> io::Result<OwnedFd> {
    let (ended, lives) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    let mut child_ended = signal(SignalKind::child())?;
    tokio::spawn(async move {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        // An error means that it no longer exists.
        while let Ok(None) = rustix::process::waitid(WaitId::Pid(pid), look) {
            child_ended.recv().await;
        }
        drop(lives);
    });
    Ok(ended)
}
