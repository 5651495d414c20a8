//! A child process as a descriptor: readable once the process has ended, and the way to signal it. Where there are no pidfds, a
//! pipe and the number stand in.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitIdStatus};
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{SignalKind, signal};

/// A child of this process, which nobody else reaps: until then its number cannot belong to another one.
#[derive(Debug)]
pub(super) struct Pidfd {
    pid: Pid,
    ended: AsyncFd<OwnedFd>,
    /// The kernel, or what stands between it and us (valgrind, a sandbox), has no pidfds.
    stands_in: bool,
}

impl Pidfd {
    /// To be called on the runtime's thread.
    pub(super) fn open(pid: Pid) -> io::Result<Self> {
        let (fd, stands_in) = match rustix::process::pidfd_open(pid, PidfdFlags::NONBLOCK) {
            Ok(fd) => (fd, false),
            // Before Linux 5.10 there is no such flag. It would only matter to who waits for a process that has not ended.
            Err(Errno::INVAL) => (rustix::process::pidfd_open(pid, PidfdFlags::empty())?, false),
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
            return rustix::process::kill_process(self.pid, signal);
        }
        rustix::process::pidfd_send_signal(&self.ended, signal)
    }

    /// How the process has ended, if it has; it is reaped unless the options say otherwise.
    ///
    /// # Errors
    /// CHILD: it is no child of this process, or has been reaped.
    pub(super) fn wait(&self, options: WaitIdOptions) -> rustix::io::Result<Option<WaitIdStatus>> {
        let id = if self.stands_in { WaitId::Pid(self.pid) } else { WaitId::PidFd(self.ended.as_fd()) };
        rustix::process::waitid(id, WaitIdOptions::EXITED | WaitIdOptions::NOHANG | options)
    }
}

/// The reading end of a pipe whose writing end is closed when the process ends.
fn closes_when_it_ends(pid: Pid) -> io::Result<OwnedFd> {
    let (ended, lives) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    let mut child_ended = signal(SignalKind::child())?;
    tokio::spawn(async move {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        // An error says that it is there no more.
        while let Ok(None) = rustix::process::waitid(WaitId::Pid(pid), look) {
            child_ended.recv().await;
        }
        drop(lives);
    });
    Ok(ended)
}
