//! The ends of a channel: one pipe for the server's orders, one for the worker's answers. docs/worker_protocol.md 1

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};

/// The normal capacity of a pipe, in bytes.
pub(super) const NARROW: usize = 64 << 10;
/// The capacity for larger frames, which then take less time. It is only used for those, because each user has 64 MiB
/// for all pipes. Beyond that, new pipes hold 8 KiB, including those that workers make for programs they start.
const ROOM: usize = 256 << 10;

/// Why a channel delivers no more frames.
#[derive(Debug, thiserror::Error)]
pub(super) enum Closed {
    /// The worker closed its end for answers, or the end for orders while something was to be written.
    #[error("the worker closed its channel")]
    End,
    /// The worker broke the protocol.
    #[error("the worker broke the protocol: it sent {0}")]
    Violation(String),
    /// The operating system's error.
    #[error("the channel failed: {0}")]
    Failed(io::Error),
}

/// The server's ends.
#[derive(Debug)]
pub(super) struct Ours {
    /// Written to.
    pub(super) orders: OwnedFd,
    /// Read from.
    pub(super) answers: OwnedFd,
}

/// The ends of the other process. While they are open here, the end of that process does not end the channel.
#[derive(Debug)]
pub(super) struct Theirs {
    pub(super) orders: OwnedFd,
    pub(super) answers: OwnedFd,
}

impl Theirs {
    /// Lets the next started process inherit both, and returns their numbers: orders, answers. Neither is its stdin, which
    /// a script that becomes Python may read. Call it on the runtime's thread, the only one that starts processes.
    pub(super) fn pass_on(&self) -> io::Result<[RawFd; 2]> {
        fcntl_setfd(&self.orders, FdFlags::empty())?;
        fcntl_setfd(&self.answers, FdFlags::empty())?;
        Ok([self.orders.as_raw_fd(), self.answers.as_raw_fd()])
    }
}

/// A channel to a worker. It is two pipes instead of a socket pair: a process sleeping on a socket is also woken when
/// the other side has read, which costs both sides a context switch per call.
pub(super) fn of_worker() -> io::Result<(Ours, Theirs)> {
    let (its_orders, orders) = pipe_with(PipeFlags::CLOEXEC)?;
    with_answers(orders, its_orders)
}

/// A channel to a template: descriptors travel with the orders, which only a socket supports.
pub(super) fn of_template() -> io::Result<(Ours, Theirs)> {
    let (orders, its_orders) = UnixStream::pair()?;
    with_answers(orders.into(), its_orders.into())
}

fn with_answers(orders: OwnedFd, its_orders: OwnedFd) -> io::Result<(Ours, Theirs)> {
    let (answers, its_answers) = pipe_with(PipeFlags::CLOEXEC)?;
    Ok((Ours { orders, answers }, Theirs { orders: its_orders, answers: its_answers }))
}

/// Widens a pipe for a frame that is larger than it. Pass its current capacity; returns the new one.
pub(super) fn widen(pipe: impl AsFd, holds: usize, frame: usize) -> usize {
    if frame <= holds || holds >= ROOM {
        return holds;
    }
    // Beyond a limit per user this is refused; a smaller pipe is only slower.
    let _ = fcntl_setpipe_size(pipe, ROOM);
    ROOM
}
