//! The ends of a channel: one pipe for what the server sends, one for what the worker answers. docs/worker_protocol.md 1

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};

/// How many bytes a pipe holds.
pub(super) const NARROW: usize = 64 << 10;
/// How many it is made to hold for frames that are larger, which then take less time. Only then, because each user has 64 MiB for all
/// pipes: beyond that new ones hold 8 KiB, also those that workers make for programs which they start.
const ROOM: usize = 256 << 10;

/// Why a channel brings no more frames.
#[derive(Debug, thiserror::Error)]
pub(super) enum Closed {
    /// The worker has closed its end for answers, or that for orders, and there was something to be written.
    #[error("the worker closed its channel")]
    End,
    /// The worker broke the protocol.
    #[error("the worker broke the protocol: it sent {0}")]
    Violation(String),
    /// The operating system's word.
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

/// The ends of the process on the other side. While they are open here, the end of that process does not end the channel.
#[derive(Debug)]
pub(super) struct Theirs {
    pub(super) orders: OwnedFd,
    pub(super) answers: OwnedFd,
}

impl Theirs {
    /// Lets the next process that is started have the end for answers, and returns its number. To be called on the runtime's
    /// thread, which alone starts processes.
    pub(super) fn pass_on(&self) -> io::Result<RawFd> {
        fcntl_setfd(&self.answers, FdFlags::empty())?;
        Ok(self.answers.as_raw_fd())
    }
}

/// A channel to a worker. Two pipes and no socket pair: whoever sleeps on a socket is also woken when the other side has read, which
/// costs both sides a change of process for each call.
pub(super) fn of_worker() -> io::Result<(Ours, Theirs)> {
    let (its_orders, orders) = pipe_with(PipeFlags::CLOEXEC)?;
    with_answers(orders, its_orders)
}

/// A channel to a template: descriptors go with the orders, and only a socket takes them.
pub(super) fn of_template() -> io::Result<(Ours, Theirs)> {
    let (orders, its_orders) = UnixStream::pair()?;
    with_answers(orders.into(), its_orders.into())
}

fn with_answers(orders: OwnedFd, its_orders: OwnedFd) -> io::Result<(Ours, Theirs)> {
    let (answers, its_answers) = pipe_with(PipeFlags::CLOEXEC)?;
    Ok((Ours { orders, answers }, Theirs { orders: its_orders, answers: its_answers }))
}

/// Has a pipe hold more, for a frame that is larger than it is. To be called with what it holds now; returns what it holds then.
pub(super) fn widen(pipe: impl AsFd, holds: usize, frame: usize) -> usize {
    if frame <= holds || holds >= ROOM {
        return holds;
    }
    // Beyond a limit for each user this is refused; a small pipe is only slower.
    let _ = fcntl_setpipe_size(pipe, ROOM);
    ROOM
}
