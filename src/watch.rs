//! `portpool watch`: kills a server that cannot end by itself, and cleans up what it leaves behind. docs/protocol.md
//! 13.

use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::cgroup::{Group, Home};
use crate::worker::kill_survivors;

/// How long a server may run after its owner has released it. A healthy server needs less to kill its workers.
const GRACE: Duration = Duration::from_secs(3);
/// How often to check whether the processes killed in the server's cgroup are gone, and the time between two checks.
const LOOKS: usize = 200;
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Returns when the server has ended and everything that its workers started has been killed, along with its cgroup if
/// it created one at this place. The server ends by itself, or is killed: when a byte arrives on stdin, or three
/// seconds after stdin was closed. A later process with the same pid is not touched.
pub fn run(pid: i32, home: &Home) -> io::Result<()> {
    let server = open(pid)?;
    let cgroup = Group::of(pid.unsigned_abs(), home);
    // It may have ended before this process started. What it left behind is still there.
    if let Some(server) = server {
        watch(&server)?;
    }
    cgroup.iter().for_each(end_group);
    kill_survivors(pid.unsigned_abs());
    Ok(())
}

/// Returns when the server has ended.
fn watch(server: &OwnedFd) -> io::Result<()> {
    let stdin = io::stdin();
    let mut both = [readable(server), readable(&stdin)];
    wait(&mut both, None)?;
    let [server_ended, _told] = both.map(|fd| !fd.revents().is_empty());
    if server_ended { Ok(()) } else { end(server, hears_the_end(stdin)?) }
}

/// Kills everything in the cgroup, and removes it.
fn end_group(group: &Group) {
    for _ in 0..LOOKS {
        group.kill();
        if group.remove() {
            return;
        }
        thread::sleep(LOOK_AGAIN);
    }
}

/// A descriptor that becomes readable when the process ends; `None` if it has ended.
fn open(pid: i32) -> io::Result<Option<OwnedFd>> {
    let pid = Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidInput)?;
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(process) => Ok(Some(process)),
        Err(Errno::SRCH) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Returns whether stdin was closed; otherwise the owner has written that there is nothing to wait for.
fn hears_the_end(mut stdin: io::Stdin) -> io::Result<bool> {
    Ok(stdin.read(&mut [0])? == 0)
}

fn end(server: &OwnedFd, may_end_by_itself: bool) -> io::Result<()> {
    let mut ended = [readable(server)];
    if may_end_by_itself {
        wait(&mut ended, Some(GRACE))?;
    }
    if ended.iter().all(|fd| fd.revents().is_empty()) {
        // This can only fail if the server has just ended.
        let _ = pidfd_send_signal(server, Signal::KILL);
        wait(&mut ended, None)?;
    }
    Ok(())
}

fn readable(fd: &impl AsFd) -> PollFd<'_> {
    PollFd::new(fd, PollFlags::IN)
}

fn wait(fds: &mut [PollFd<'_>], limit: Option<Duration>) -> io::Result<()> {
    let limit =
        limit.map(|limit| Timespec { tv_sec: limit.as_secs().cast_signed(), tv_nsec: limit.subsec_nanos().into() });
    loop {
        match poll(fds, limit.as_ref()) {
            Err(Errno::INTR) => {}
            done => return Ok(done.map(drop)?),
        }
    }
}
