//! The server's end of a worker's channel: frames out, frames in, both at once and neither ever blocking.

use std::collections::VecDeque;
use std::io;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

use bytes::{Buf, Bytes, BytesMut};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::task::yield_now;

use super::ends::Ours;
use super::wire::{self, FromWorker, HEADER, Header, ToWorker};
use crate::allowance::{Allowance, Claim, Place, Share};
use crate::buffer::{give_back, make_room};
use crate::call::{Body, CallId, WorkerId};

/// How many pieces of a frame go out in one write: header, table and pickle, and the first of the buffers.
const PIECES: usize = 8;

/// How much of what was not understood is shown.
const REMAINS: usize = 256;

/// A frame from the worker.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) kind: FromWorker,
    pub(super) call: CallId,
    pub(super) body: Bytes,
    /// The room that the body takes.
    pub(super) share: Share,
}

/// Why a channel brings no more frames.
#[derive(Debug, thiserror::Error)]
pub(super) enum Closed {
    /// The worker has closed its end for answers.
    #[error("the worker closed its channel")]
    End,
    /// The worker has closed its end for orders, and there was something to be written.
    #[error("the worker closed its channel without reading what was in it")]
    Unread,
    /// The worker broke the protocol.
    #[error("the worker broke the protocol: it sent {0}")]
    Violation(String),
    /// The operating system's word.
    #[error("the channel failed: {0}")]
    Failed(io::Error),
}

/// A frame on its way out: its pieces are written from where they are.
#[derive(Debug)]
struct Outgoing {
    header: [u8; HEADER],
    table: Vec<u8>,
    body: Body,
    /// How many pieces have been written.
    whole: usize,
    /// How much of the next one has been written.
    part: usize,
}

impl Outgoing {
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

    /// What is to be written next, in as many pieces as one write takes.
    fn next(&self) -> [IoSlice<'_>; PIECES] {
        std::array::from_fn(|ahead| {
            let piece = self.piece(self.whole + ahead).unwrap_or_default();
            let written = if ahead == 0 { self.part } else { 0 };
            IoSlice::new(piece.get(written..).unwrap_or_default())
        })
    }

    /// Takes note of what was written.
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

/// The room for the frame that is being read. Until there is room nothing more is read, and the worker waits.
#[derive(Debug)]
enum Room {
    Had(Share),
    Waits(Place),
}

impl Room {
    fn take(&mut self) -> Share {
        match std::mem::replace(self, Self::Had(Share::none())) {
            Self::Had(share) => share,
            Self::Waits(_) => Share::none(),
        }
    }
}

/// The server's ends of a channel, with what has come in but is no whole frame yet and what has not gone out yet.
#[derive(Debug)]
pub(super) struct Channel {
    /// `None` once nothing more will be sent.
    orders: Option<pipe::Sender>,
    answers: pipe::Receiver,
    max_frame: usize,
    incoming: BytesMut,
    header: Option<Header>,
    /// What answers to calls take their room from; `None`: nothing has to wait for room.
    allowance: Option<Allowance>,
    /// The call that has not been answered.
    in_hand: Option<CallId>,
    room: Room,
    outgoing: VecDeque<Outgoing>,
}

impl Channel {
    /// Takes our ends and puts the start order on its way, if there is one; it has no header.
    pub(super) fn open(
        Ours { orders, answers }: Ours,
        start_order: Option<Bytes>,
        max_frame: usize,
        allowance: Option<Allowance>,
    ) -> io::Result<Self> {
        Ok(Self {
            orders: Some(pipe::Sender::from_owned_fd_unchecked(not_blocking(orders)?)?),
            answers: pipe::Receiver::from_owned_fd_unchecked(not_blocking(answers)?)?,
            max_frame,
            incoming: BytesMut::new(),
            header: None,
            allowance,
            in_hand: None,
            room: Room::Had(Share::none()),
            outgoing: start_order.map(Outgoing::start_order).into_iter().collect(),
        })
    }

    /// Puts a call on its way. There is at most one: a worker has one call in hand.
    pub(super) fn send(&mut self, call: CallId, body: Body) {
        self.in_hand = Some(call);
        self.outgoing.push_back(Outgoing::call(call, body));
    }

    /// Puts a ping on its way.
    pub(super) fn ping(&mut self) {
        self.outgoing.push_back(Outgoing::ping());
    }

    /// Asks a template to fork a worker that gets these descriptors: its channel's two, stdout and stderr. All else that was sent must
    /// have been written and answered; so there is room for a header, and it goes out at once.
    pub(super) fn fork(&self, worker: WorkerId, descriptors: [BorrowedFd<'_>; 4]) -> io::Result<()> {
        let header = wire::header(ToWorker::Fork, CallId(worker.0), 0, 0);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut rights = SendAncillaryBuffer::new(&mut space);
        rights.push(SendAncillaryMessage::ScmRights(&descriptors));
        let Some(orders) = &self.orders else { return Err(io::ErrorKind::NotConnected.into()) };
        let sent = sendmsg(orders, &[IoSlice::new(&header)], &mut rights, SendFlags::NOSIGNAL)?;
        if sent == HEADER { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }

    /// The first bytes of what has come and was not understood.
    pub(super) fn remains(&self) -> &[u8] {
        self.incoming.get(..REMAINS).unwrap_or(&self.incoming)
    }

    /// Whether all that was sent has been written.
    pub(super) fn is_written(&self) -> bool {
        self.outgoing.is_empty()
    }

    /// Whether something that was written has not been read: by a worker that has ended, it never will be.
    pub(super) fn has_unread(&self) -> bool {
        self.orders.as_ref().is_some_and(|orders| rustix::io::ioctl_fionread(orders).is_ok_and(|bytes| bytes > 0))
    }

    /// Tells the worker that nothing more will come.
    pub(super) fn close(&mut self) {
        self.orders = None;
    }

    /// Writes what is to be written until the next frame is there.
    ///
    /// Cancellation: all progress is kept in `self`, so the future may be dropped at any await.
    pub(super) async fn frame(&mut self) -> Result<Frame, Closed> {
        loop {
            self.write()?;
            if let Some(frame) = self.cut()? {
                return Ok(frame);
            }
            if let Room::Waits(place) = &mut self.room {
                self.room = Room::Had(place.granted().await);
                continue;
            }
            self.wait().await?;
            if self.header.is_some() {
                // The pieces of a large frame are always ready: the others have their turn between them.
                yield_now().await;
            }
        }
    }

    /// Takes what a worker that has ended left behind, without waiting for more, nor for room: it is what a pipe holds.
    pub(super) fn last_frame(&mut self) -> Result<Option<Frame>, Closed> {
        self.allowance = None;
        if matches!(self.room, Room::Waits(_)) {
            self.room = Room::Had(Share::none());
        }
        loop {
            if let Some(frame) = self.cut()? {
                return Ok(Some(frame));
            }
            if !self.read()? {
                return Ok(None);
            }
        }
    }

    /// Waits until something has come, which is in `incoming` then, or there is room again for what is to be written.
    async fn wait(&mut self) -> Result<(), Closed> {
        let (missing, all_written) = (self.missing(), self.is_written());
        make_room(&mut self.incoming, missing);
        let came = match &self.orders {
            Some(orders) if !all_written => tokio::select! {
                biased;
                came = self.answers.read_buf(&mut self.incoming) => came,
                writable = orders.writable() => return writable.map_err(Closed::Failed),
            },
            _ => self.answers.read_buf(&mut self.incoming).await,
        };
        match came {
            Ok(0) => Err(Closed::End),
            Ok(_) => Ok(()),
            Err(error) => Err(Closed::Failed(error)),
        }
    }

    /// Reads what is there; false if that is nothing yet.
    fn read(&mut self) -> Result<bool, Closed> {
        let missing = self.missing();
        make_room(&mut self.incoming, missing);
        match self.answers.try_read_buf(&mut self.incoming) {
            Ok(0) => Err(Closed::End),
            Ok(_) => Ok(true),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => Ok(false),
                _ => Err(Closed::Failed(error)),
            },
        }
    }

    fn missing(&self) -> usize {
        self.header.map_or(0, |header| header.length.saturating_sub(self.incoming.len()))
    }

    /// Cuts the next whole frame out of what has come in.
    fn cut(&mut self) -> Result<Option<Frame>, Closed> {
        if self.header.is_none() {
            let Some(bytes) = self.incoming.first_chunk::<HEADER>() else { return Ok(None) };
            let header = Header::read(*bytes, self.max_frame).map_err(Closed::Violation)?;
            self.room = self.make_room_for(header)?;
            self.header = Some(header);
            self.incoming.advance(HEADER);
        }
        if matches!(self.room, Room::Waits(_)) {
            return Ok(None);
        }
        let Some(header) = self.header.take_if(|header| header.length <= self.incoming.len()) else { return Ok(None) };
        let share = self.room.take();
        let body = self.incoming.split_to(header.length).freeze();
        give_back(&mut self.incoming, header.length);
        Ok(Some(Frame { kind: header.kind, call: header.call, body, share }))
    }

    /// Claims the room that a frame will take, if it answers a call. Whoever has no call in hand is not to take room from others.
    fn make_room_for(&mut self, header: Header) -> Result<Room, Closed> {
        if !header.kind.answers_a_call() {
            return Ok(Room::Had(Share::none()));
        }
        if self.in_hand.take() != Some(header.call) {
            let breach = format!("{:?} for call {}, which it does not have in hand", header.kind, header.call);
            return Err(Closed::Violation(breach));
        }
        if header.length == 0 {
            return Err(Closed::Violation(format!("{:?} without a body", header.kind)));
        }
        Ok(match self.allowance.as_ref().map(|allowance| allowance.claim(header.length)) {
            Some(Claim::Granted(share)) => Room::Had(share),
            Some(Claim::Waits(place)) => Room::Waits(place),
            None => Room::Had(Share::none()),
        })
    }

    /// Writes what the pipe takes.
    fn write(&mut self) -> Result<(), Closed> {
        while let (Some(outgoing), Some(orders)) = (self.outgoing.front_mut(), &self.orders) {
            match orders.try_write_vectored(&outgoing.next()) {
                Ok(written) => outgoing.advance(written),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return Ok(()),
                    io::ErrorKind::BrokenPipe => return Err(Closed::Unread),
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

fn not_blocking(fd: OwnedFd) -> io::Result<OwnedFd> {
    rustix::io::ioctl_fionbio(&fd, true)?;
    Ok(fd)
}
