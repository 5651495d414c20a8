//! The server's end of a worker's channel: reads frames while it writes the inbox, without ever blocking.

use std::io;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::task::yield_now;

use super::ends::{self, Closed, Ours};
use super::inbox::Inbox;
use super::wire::{FromWorker, HEADER, Header};
use crate::allowance::{Allowance, Claim, Place, Share};
use crate::buffer::{give_back, make_room};
use crate::call::CallId;

/// How much of an unreadable message is shown.
const REMAINS: usize = 256;

/// A frame from the worker.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) kind: FromWorker,
    pub(super) call: CallId,
    /// How long the function of the call has run.
    pub(super) run: Duration,
    pub(super) body: Bytes,
    /// The share of its body.
    pub(super) share: Share,
}

/// The share for the frame that is being read. Until there is room, nothing more is read, and the worker waits.
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

/// The server's ends of a channel, with the incomplete frame received so far and what is still to be written.
#[derive(Debug)]
pub(super) struct Channel {
    inbox: Inbox,
    answers: pipe::Receiver,
    /// The capacity of that pipe, in bytes.
    holds: usize,
    max_frame: usize,
    incoming: BytesMut,
    header: Option<Header>,
    /// The allowance for answers to calls; `None`: they need no room.
    allowance: Option<Allowance>,
    room: Room,
}

impl Channel {
    /// Takes our ends and starts sending the start order, if there is one; it has no header.
    pub(super) fn open(
        Ours { orders, answers }: Ours,
        start_order: Option<Bytes>,
        max_frame: usize,
        allowance: Option<Allowance>,
    ) -> io::Result<Self> {
        Ok(Self {
            inbox: Inbox::open(orders, start_order)?,
            answers: pipe::Receiver::from_owned_fd(answers)?,
            holds: ends::NARROW,
            max_frame,
            incoming: BytesMut::new(),
            header: None,
            allowance,
            room: Room::Had(Share::none()),
        })
    }

    /// The inbox of the worker.
    pub(super) fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// The first bytes of what could not be read.
    pub(super) fn remains(&self) -> &[u8] {
        self.incoming.get(..REMAINS).unwrap_or(&self.incoming)
    }

    /// Writes what is pending until the next frame has arrived.
    ///
    /// Cancellation: all progress is kept in `self`, so the future may be dropped at any await.
    pub(super) async fn frame(&mut self) -> Result<Frame, Closed> {
        loop {
            self.inbox.write()?;
            if let Some(frame) = self.cut()? {
                return Ok(frame);
            }
            if let Room::Waits(place) = &mut self.room {
                self.room = Room::Had(place.granted().await);
                continue;
            }
            self.wait().await?;
            if self.header.is_some() || self.inbox.full().is_some() {
                // The pieces of a large frame are always ready: other tasks get their turn in between.
                yield_now().await;
            }
        }
    }

    /// Takes what an ended worker left behind, without waiting for more, or for room: it is no more than a pipe holds.
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

    /// Waits until something has arrived, which is then in `incoming`, or until there is room to write again.
    async fn wait(&mut self) -> Result<(), Closed> {
        let missing = self.missing();
        make_room(&mut self.incoming, missing);
        let came = match self.inbox.full() {
            Some(orders) => tokio::select! {
                biased;
                came = self.answers.read_buf(&mut self.incoming) => came,
                writable = orders.writable() => return writable.map_err(Closed::Failed),
            },
            None => self.answers.read_buf(&mut self.incoming).await,
        };
        match came {
            Ok(0) => Err(Closed::End),
            Ok(_) => Ok(()),
            Err(error) => Err(Closed::Failed(error)),
        }
    }

    /// Reads what is there; false if there is nothing yet.
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

    /// Cuts the next complete frame from what has arrived.
    fn cut(&mut self) -> Result<Option<Frame>, Closed> {
        if self.header.is_none() {
            let Some(bytes) = self.incoming.first_chunk::<HEADER>() else { return Ok(None) };
            let header = Header::read(*bytes, self.max_frame).map_err(Closed::Violation)?;
            self.room = self.make_room_for(header)?;
            self.holds = ends::widen(&self.answers, self.holds, header.length);
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
        let Header { kind, call, run, .. } = header;
        Ok(Some(Frame { kind, call, run, body, share }))
    }

    /// Claims room for a frame that answers a call. A worker without a call must not take room from others.
    fn make_room_for(&mut self, header: Header) -> Result<Room, Closed> {
        if !header.kind.answers_a_call() {
            return Ok(Room::Had(Share::none()));
        }
        if !self.inbox.answer_begins(header.call) {
            let breach = format!("{:?} for call {}, which it is not running", header.kind, header.call);
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
}
