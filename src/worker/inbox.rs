//! What is sent to a worker, and the calls that it has not answered. The sender writes as much as the pipe takes, the
//! worker's task the rest.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use tokio::net::unix::pipe;

use super::back;
use super::ends::{self, Closed};
use super::line::{InCall, Writers};
use super::wire::{self, HEADER, SHORT, ToWorker};
use crate::call::{Body, CallId, WorkerId};

/// The maximum number of pieces in one write: header, table and pickle, and the first of the buffers.
const PIECES: usize = 8;
/// Short frames that are written at once: a pipe takes this many bytes as a whole (PIPE_BUF), or none of them.
const AT_ONCE: usize = 4096;
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

    /// How much is still to be written.
    fn left(&self) -> usize {
        let pieces = (self.whole..).map_while(|number| self.piece(number));
        pieces.map(<[u8]>::len).sum::<usize>().saturating_sub(self.part)
    }
}

/// Something on its way out.
#[derive(Debug)]
enum Outgoing {
    /// Short frames, one after the other. A pipe takes all of them at once, or none.
    Short(Vec<u8>),
    Long(Box<Pieces>),
}

/// A call that a worker has not answered.
#[derive(Debug)]
struct Sent {
    call: InCall,
    /// The length of its frame.
    length: usize,
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
    outgoing: VecDeque<Outgoing>,
    /// The calls that are not yet answered. The first is the one that it runs; the others were sent ahead.
    sent: VecDeque<Sent>,
    /// Whether the header of the answer to the first has arrived.
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
            outgoing: start_order
                .map(|order| Outgoing::Long(Box::new(Pieces::start_order(order))))
                .into_iter()
                .collect(),
            sent: VecDeque::new(),
            is_answered: false,
            pings: 0,
        }))))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is made in one step, so a panic in between leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a call behind those that it has not answered; `flush` sends it. Only short calls are sent ahead.
    pub(super) fn call(&self, call: InCall, body: Body) {
        let mut state = self.state();
        let short = if body.buffers.is_empty() { wire::short(ToWorker::Call, call.id, &body.pickle) } else { None };
        let length = match short {
            Some(frame) => state.put_short(&frame),
            None => state.put_long(call.id, body),
        };
        state.sent.push_back(Sent { call, length });
    }

    /// Asks whether it is alive, if it has no call. `flush` sends it.
    pub(super) fn ping(&self) {
        let mut state = self.state();
        if state.sent.is_empty()
            && let Some(frame) = wire::short(ToWorker::Ping, CallId(0), &[])
        {
            state.pings += 1;
            state.put_short(&frame);
        }
    }

    /// Writes what it can. Returns false if the worker's task must write the rest, or find out why it cannot.
    pub(super) fn flush(&self) -> bool {
        let mut state = self.state();
        state.write().is_ok() && state.outgoing.is_empty()
    }

    /// Takes back the calls that were sent ahead, as far as the worker has not read them: they have not begun.
    pub(super) fn take_back(&self) -> Vec<CallId> {
        self.state().take_back()
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

    /// Ends the sending.
    pub(super) fn close(&self) {
        self.state().orders = None;
    }

    /// The call that it is running.
    pub(super) fn in_hand(&self) -> Option<InCall> {
        self.state().sent.front().map(|sent| sent.call.clone())
    }

    /// Who may have written what the worker prints; `answered` is the call that it has just answered.
    pub(super) fn writers(&self, answered: Option<&InCall>) -> Writers {
        let state = self.state();
        let calls: Vec<InCall> =
            answered.into_iter().chain(state.sent.iter().map(|sent| &sent.call)).cloned().collect();
        let only = calls.first().filter(|_| calls.len() == 1).map(|call| call.id);
        Writers { calls, only }
    }

    /// Records that an answer to this call begins; false if this is not the running call, or it has been answered.
    pub(super) fn answer_begins(&self, call: CallId) -> bool {
        let mut state = self.state();
        let is_due = !state.is_answered && state.sent.front().is_some_and(|sent| sent.call.id == call);
        state.is_answered |= is_due;
        is_due
    }

    /// Removes the running call, which has been answered.
    pub(super) fn take_answered(&self) -> Option<InCall> {
        let mut state = self.state();
        state.is_answered = false;
        state.sent.pop_front().map(|sent| sent.call)
    }

    /// The worker has ended: returns the calls that it had read and not answered.
    pub(super) fn take_read(&self) -> Vec<InCall> {
        self.state().take_read()
    }
}

impl State {
    fn put_short(&mut self, frame: &[u8; SHORT]) -> usize {
        match self.outgoing.back_mut() {
            Some(Outgoing::Short(frames)) if frames.len() < AT_ONCE => frames.extend_from_slice(frame),
            _ => self.outgoing.push_back(Outgoing::Short(frame.to_vec())),
        }
        SHORT
    }

    fn put_long(&mut self, call: CallId, body: Body) -> usize {
        if let Some(orders) = &self.orders {
            self.holds = ends::widen(&**orders, self.holds, body.size());
        }
        let length = HEADER + body.size();
        self.outgoing.push_back(Outgoing::Long(Box::new(Pieces::call(call, body))));
        length
    }

    fn write(&mut self) -> Result<(), Closed> {
        let mut left = TURN;
        while left > 0
            && let (Some(outgoing), Some(orders)) = (self.outgoing.front_mut(), &self.orders)
        {
            let written = match outgoing {
                Outgoing::Short(frames) => orders.try_write(frames),
                Outgoing::Long(pieces) => orders.try_write_vectored(&pieces.next()),
            };
            match written {
                Ok(written) => {
                    left = left.saturating_sub(written);
                    if outgoing.is_written(written) {
                        self.outgoing.pop_front();
                    }
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return Ok(()),
                    io::ErrorKind::BrokenPipe => return Err(Closed::End),
                    _ => return Err(Closed::Failed(error)),
                },
            }
        }
        Ok(())
    }

    fn take_back(&mut self) -> Vec<CallId> {
        let Some(orders) = self.orders.clone().filter(|_| self.sent.len() > 1) else { return Vec::new() };
        // Its first call may not have been read either. It goes back in, unless the worker has read another one meanwhile.
        let first = self.sent.front().map(|sent| sent.call.id);
        let mut taken = back::take(&*orders).unwrap_or_default();
        for outgoing in &mut self.outgoing {
            if let Outgoing::Short(frames) = outgoing {
                taken.extend(back::calls(frames));
            }
        }
        self.outgoing.retain(|outgoing| !matches!(outgoing, Outgoing::Short(_)));
        let (mut calls, mut returns) = (Vec::new(), None);
        for (call, frame) in taken {
            if Some(call) == first { returns = Some(frame) } else { calls.push(call) }
        }
        self.sent.retain(|sent| !calls.contains(&sent.call.id));
        match (first, returns) {
            (_, Some(frame)) if self.sent.len() == 1 => {
                self.put_short(&frame);
                let _ = self.write();
            }
            (Some(first), Some(_)) => {
                self.sent.pop_front();
                calls.insert(0, first);
            }
            _ => {}
        }
        calls
    }

    fn take_read(&mut self) -> Vec<InCall> {
        let in_pipe = |orders: &Arc<pipe::Sender>| rustix::io::ioctl_fionread(orders).unwrap_or_default();
        let mut unread = self.orders.as_ref().map_or(0, in_pipe) as usize;
        unread += self.outgoing.iter().map(Outgoing::left).sum::<usize>();
        while let Some(last) = self.sent.back().filter(|_| unread > 0) {
            unread = unread.saturating_sub(last.length);
            self.sent.pop_back();
        }
        self.sent.drain(..).map(|sent| sent.call).collect()
    }
}

impl Outgoing {
    /// Records what was written; returns whether that was all.
    fn is_written(&mut self, written: usize) -> bool {
        match self {
            Self::Short(frames) => {
                frames.drain(..written.min(frames.len()));
                frames.is_empty()
            }
            Self::Long(pieces) => {
                pieces.advance(written);
                pieces.is_written()
            }
        }
    }

    /// How much is still to be written.
    fn left(&self) -> usize {
        match self {
            Self::Short(frames) => frames.len(),
            Self::Long(pieces) => pieces.left(),
        }
    }
}
