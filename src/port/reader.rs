//! The only reader of stdin: bytes -> packets. docs/protocol.md 1.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use tokio::task::yield_now;

use super::stream::Input;
use crate::buffer::{READ, give_back, make_room};

/// How much is kept of what arrives while nobody asks for packets.
const LOOK_AHEAD: usize = 1 << 20;
/// The first bytes of a packet that is too long: enough to read the id of its call.
const HEAD: usize = 64;

/// One packet.
#[derive(Debug)]
pub enum Packet {
    /// Its bytes.
    Whole(Bytes),
    /// A packet longer than `max_frame`, which was discarded.
    TooLong {
        /// Its first bytes.
        head: Bytes,
        /// Its length.
        length: usize,
    },
}

/// The reader's position in the stream.
#[derive(Debug)]
enum State {
    /// Before a length.
    Length,
    /// In a packet of this length.
    Body(usize),
    /// In the first bytes of a packet that is too long.
    Head(usize),
    /// In the rest of it: this many bytes are still to be discarded.
    Skip(usize),
}

/// Cuts packets out of the stream.
#[derive(Debug)]
pub struct Reader {
    input: Input,
    buffer: BytesMut,
    state: State,
    max_frame: usize,
    /// Whether the end of the stream was seen.
    ended: bool,
}

impl Reader {
    /// Reads packets of at most `max_frame` bytes.
    pub fn new(input: Input, max_frame: usize) -> Self {
        Self { input, buffer: BytesMut::new(), state: State::Length, max_frame, ended: false }
    }

    /// Changes the limit for later packets.
    pub fn set_max_frame(&mut self, max_frame: usize) {
        self.max_frame = max_frame;
    }

    /// The next packet; `None` at the end of the stream. A packet cut off by the end is ignored.
    ///
    /// Cancellation: all progress is kept in `self`, so the future may be dropped at any await.
    pub async fn packet(&mut self) -> io::Result<Option<Packet>> {
        loop {
            if let Some(packet) = self.cut() {
                return Ok(Some(packet));
            }
            if self.ended {
                return Ok(None);
            }
            let missing = self.missing();
            make_room(&mut self.buffer, missing);
            match self.input.read(&mut self.buffer).await? {
                0 => return Ok(None),
                // The pieces of a large packet are always ready: other tasks get their turn in between.
                size if size >= READ => yield_now().await,
                _ => {}
            }
        }
    }

    /// Waits for the end of the stream. What comes before it is kept for `packet`; if that is more than a little, it
    /// waits forever.
    ///
    /// Cancellation: all progress is kept in `self`, so the future may be dropped at any await.
    pub async fn end(&mut self) -> io::Result<()> {
        while self.buffer.len() < LOOK_AHEAD {
            make_room(&mut self.buffer, 0);
            if self.input.read(&mut self.buffer).await? == 0 {
                self.ended = true;
                return Ok(());
            }
        }
        std::future::pending().await
    }

    fn missing(&self) -> usize {
        match self.state {
            State::Body(length) => length.saturating_sub(self.buffer.len()),
            State::Length | State::Head(_) | State::Skip(_) => 0,
        }
    }

    fn cut(&mut self) -> Option<Packet> {
        loop {
            match self.state {
                State::Length => {
                    let length = self.buffer.first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes) as usize)?;
                    self.buffer.advance(4);
                    self.state = if length > self.max_frame { State::Head(length) } else { State::Body(length) };
                }
                State::Body(length) => {
                    let packet = (self.buffer.len() >= length).then(|| self.buffer.split_to(length).freeze())?;
                    self.state = State::Length;
                    give_back(&mut self.buffer, length);
                    return Some(Packet::Whole(packet));
                }
                State::Head(length) => {
                    let head =
                        (self.buffer.len() >= HEAD.min(length)).then(|| self.buffer.split_to(HEAD.min(length)))?;
                    self.state = State::Skip(length - head.len());
                    return Some(Packet::TooLong { head: head.freeze(), length });
                }
                State::Skip(left) => {
                    let skipped = left.min(self.buffer.len());
                    self.buffer.advance(skipped);
                    self.state = if skipped == left { State::Length } else { State::Skip(left - skipped) };
                    (skipped == left).then_some(())?;
                }
            }
        }
    }
}
