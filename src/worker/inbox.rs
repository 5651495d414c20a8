//! What is sent to a worker, and the call that it is running. The sender writes as much as the pipe takes, the worker's
//! task the rest.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use tokio::net::unix::pipe;

use super::ends::{self, Closed};
use super::line::InCall;
use super::wire::{self, HEADER, ToWorker};
use crate::call::{Body, CallId, WorkerId};

/// The maximum number of pieces in one write: header, table and pickle, and the first of the buffers.
const PIECES: usize = 8;
/// How much is written in one turn, before other tasks get theirs: a worker that reads as fast as we write would keep
/// us busy forever.
const TURN: usize = 1 << 20;

/// A frame on its way out. Its pieces are written from where they are.
#[derive(Debug)]
struct Pieces {
    header: [u8; HEADER],
    table: Vec<u8>,
    body: Body,
    /// The number of pieces written.
    whole: usize,
    /// How much of the next piece is written.
    part: usize,
}

impl Pieces {
    /// A header alone.
    fn ping() -> Self {
        let header = wire::header(ToWorker::Ping, CallId(0), 0, 0);
        Self { header, table: Vec::new(), body: Vec::new().into(), whole: 0, part: 0 }
    }

    fn call(call: CallId, body: Body) -> Self {
        let table = wire::table(&body.buffers);
        let header = wire::header(ToWorker::Call, call, body.buffers.len(), table.len() + body.size());
        Self { header, table, body, whole: 0, part: 0 }
    }

    /// A pickle alone.
    fn start_order(pickle: Bytes) -> Self {
        let body = Body { pickle, buffers: Vec::new() };
        Self { header: [0; HEADER], table: Vec::new(), body, whole: 2, part: 0 }
    }

    fn piece(&self, number: usize) -> Option<&[u8]> {
        match number {
            0 => Some(&self.header),
            1 => Some(&self.table),
            2 => Some(&self.body.pickle),
            _ => self.body.buffers.get(number - 3).map(Bytes::as_ref),
        }
    }

    /// The next pieces, as many as one write takes.
    fn next(&self) -> [IoSlice<'_>; PIECES] {
        std::array::from_fn(|ahead| {
            let piece = self.piece(self.whole + ahead).unwrap_or_default();
            let written = if ahead == 0 { self.part } else { 0 };
            IoSlice::new(piece.get(written..).unwrap_or_default())
        })
    }

    /// Records what was written.
    fn advance(&mut self, written: usize) {
        self.part += written;
        while let Some(piece) = self.piece(self.whole).filter(|piece| piece.len() <= self.part) {
            self.part -= piece.len();
            self.whole += 1;
        }
    }

    fn is_written(&self) -> bool {
        self.piece(self.whole).is_none()
    }
}

/// What is sent to a worker. Clones share it. The pool's hold on the worker has one, so that a call is written at once
/// without waking the worker's task.
#[derive(Clone, Debug)]
pub(super) struct Inbox(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// `None` once nothing more will be sent.
    orders: Option<Arc<pipe::Sender>>,
    /// The capacity of the pipe, in bytes.
    holds: usize,
    outgoing: VecDeque<Pieces>,
    /// The call that is not yet answered.
    in_hand: Option<InCall>,
    /// Whether the header of its answer has arrived.
    is_answered: bool,
    /// The number of unanswered pings.
    pings: u32,
}

impl Inbox {
    /// Takes our end for orders and starts sending the start order, if there is one; it has no header.
    pub(super) fn open(orders: OwnedFd, start_order: Option<Bytes>) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&orders, true)?;
        Ok(Self(Arc::new(Mutex::new(State {
            orders: Some(Arc::new(pipe::Sender::from_owned_fd_unchecked(orders)?)),
            holds: ends::NARROW,
            outgoing: start_order.map(Pieces::start_order).into_iter().collect(),
            in_hand: None,
            is_answered: false,
            pings: 0,
        }))))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is made in one step, so a panic in between leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a call; there is at most one at a time. Returns false if the worker's task must write the rest, or find
    /// out why it cannot.
    pub(super) fn call(&self, call: InCall, body: Body) -> bool {
        let mut state = self.state();
        if let Some(orders) = &state.orders {
            state.holds = ends::widen(&**orders, state.holds, body.size());
        }
        state.outgoing.push_back(Pieces::call(call.id, body));
        state.in_hand = Some(call);
        state.is_answered = false;
        state.write().is_ok() && state.outgoing.is_empty()
    }

    /// Asks whether it is alive, if it is not running a call. Returns false as for `call`.
    pub(super) fn ping(&self) -> bool {
        let mut state = self.state();
        if state.in_hand.is_none() {
            state.pings += 1;
            state.outgoing.push_back(Pieces::ping());
        }
        state.write().is_ok() && state.outgoing.is_empty()
    }

    /// Records the answer to a ping; false if there was no ping.
    pub(super) fn pong(&self) -> bool {
        let mut state = self.state();
        let was_due = state.pings > 0;
        state.pings = state.pings.saturating_sub(1);
        was_due
    }

    /// Asks a template to fork a worker with these descriptors: the two of its channel, stdout and stderr. Everything
    /// sent before must have been written and answered, so there is room for a header, which goes out at once.
    pub(super) fn fork(&self, worker: WorkerId, descriptors: [BorrowedFd<'_>; 4]) -> io::Result<()> {
        let Some(orders) = self.state().orders.clone() else { return Err(io::ErrorKind::NotConnected.into()) };
        let header = wire::header(ToWorker::Fork, CallId(worker.0), 0, 0);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut rights = SendAncillaryBuffer::new(&mut space);
        rights.push(SendAncillaryMessage::ScmRights(&descriptors));
        let sent = sendmsg(&*orders, &[IoSlice::new(&header)], &mut rights, SendFlags::NOSIGNAL)?;
        if sent == HEADER { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }

    /// Writes what the pipe takes, for one turn.
    pub(super) fn write(&self) -> Result<(), Closed> {
        self.state().write()
    }

    /// The pipe, if something is to be written once it takes more.
    pub(super) fn full(&self) -> Option<Arc<pipe::Sender>> {
        let state = self.state();
        state.orders.clone().filter(|_| !state.outgoing.is_empty())
    }

    /// Returns whether something that was sent cannot have been read in full. If the worker has ended, it never will
    /// be.
    pub(super) fn has_unread(&self) -> bool {
        let state = self.state();
        let in_pipe = |orders: &Arc<pipe::Sender>| rustix::io::ioctl_fionread(orders).is_ok_and(|bytes| bytes > 0);
        !state.outgoing.is_empty() || state.orders.as_ref().is_some_and(in_pipe)
    }

    /// Ends the sending.
    pub(super) fn close(&self) {
        self.state().orders = None;
    }

    /// The call that it is running.
    pub(super) fn in_hand(&self) -> Option<InCall> {
        self.state().in_hand.clone()
    }

    /// Records that an answer to this call begins; false if this is not the running call, or it has been answered.
    pub(super) fn answer_begins(&self, call: CallId) -> bool {
        let mut state = self.state();
        let is_due = !state.is_answered && state.in_hand.as_ref().is_some_and(|in_hand| in_hand.id == call);
        state.is_answered |= is_due;
        is_due
    }

    /// Removes the running call: it has been answered, or never will be.
    pub(super) fn take_in_hand(&self) -> Option<InCall> {
        self.state().in_hand.take()
    }
}

impl State {
    fn write(&mut self) -> Result<(), Closed> {
        let mut left = TURN;
        while left > 0
            && let (Some(outgoing), Some(orders)) = (self.outgoing.front_mut(), &self.orders)
        {
            match orders.try_write_vectored(&outgoing.next()) {
                Ok(written) => {
                    outgoing.advance(written);
                    left = left.saturating_sub(written);
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return Ok(()),
                    io::ErrorKind::BrokenPipe => return Err(Closed::End),
                    _ => return Err(Closed::Failed(error)),
                },
            }
            if outgoing.is_written() {
                self.outgoing.pop_front();
            }
        }
        Ok(())
    }
}
