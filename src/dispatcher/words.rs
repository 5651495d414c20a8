//! The requests to the server, and what it sends.

use std::time::Duration;

use tokio::task::JoinHandle;

use crate::allowance::Share;
use crate::call::{Call, Checkout, Failure, Returned, WorkerId};
use crate::pool::{Line, Status};

/// The id of a request, chosen by its sender.
pub type PortId = u64;

/// A request to the server.
#[derive(Debug)]
pub enum Request {
    /// Runs a call.
    Call(PortId, Box<Call>),
    /// Runs a call that a helper thread is still decoding.
    LargeCall {
        /// The id of the request.
        id: PortId,
        /// The size of its packet.
        bytes: usize,
        /// The call, or why the packet is not a call.
        decoding: JoinHandle<Result<Call, Failure>>,
    },
    /// Checks a worker out.
    Checkout(PortId, Checkout),
    /// Checks a worker in.
    Checkin {
        /// The id of this request.
        id: PortId,
        /// The id of the checkout.
        lease: PortId,
        /// Whether the worker must not be used again.
        broken: bool,
    },
    /// Cancels a call, a checkout or a lease. It has no reply of its own.
    Cancel(PortId),
    /// Changes the number of workers.
    Resize(PortId, usize),
    /// Replaces all workers with new ones.
    Reload(PortId),
    /// Refuses new calls, gives running ones this long to finish, then ends the server.
    Drain(PortId, Option<Duration>),
    /// Drains, for a sender that expects no reply.
    Stop(Option<Duration>),
    /// Sends all lines that workers have printed so far.
    Flush(PortId),
    /// Asks for the state of the pool.
    Status(PortId),
    /// Asks whether the server is alive.
    Ping(PortId),
    /// Stands for a request that was refused earlier.
    Refuse(PortId, Failure),
    /// Stands for a packet that is not a request.
    Error(Failure),
}

/// A message from the server.
#[derive(Debug)]
pub enum Reply {
    /// The workers to wait for are ready, or `start_timeout` is over.
    Ready(Status),
    /// The reply to the request with this id, and the share of the allowance that it holds until it is written.
    To(PortId, Answer, Share),
    /// A line that a worker printed or logged.
    Line(Line),
    /// An error that belongs to no request.
    Error(Failure),
}

impl Reply {
    /// The share to return once the reply is written.
    pub fn into_share(self) -> Share {
        match self {
            Self::To(_, _, share) => share,
            Self::Ready(_) | Self::Line(_) | Self::Error(_) => Share::none(),
        }
    }
}

/// The reply to a request.
#[derive(Debug)]
pub enum Answer {
    /// The result of a call.
    Value(Returned),
    /// Why there is no result.
    Failure(Failure),
    /// The reply to `Checkout`.
    Leased {
        /// The worker's number.
        worker: WorkerId,
        /// Its operating system pid.
        pid: u32,
    },
    /// The reply to `Checkin`: whether it ended the lease.
    CheckedIn(bool),
    /// The reply to `Resize`.
    Resized,
    /// The reply to `Reload`.
    Reloaded,
    /// The reply to `Drain`.
    Drained,
    /// The reply to `Flush`.
    Flushed,
    /// The reply to `Status`.
    Status(Box<Status>),
    /// The reply to `Ping`.
    Pong,
}
