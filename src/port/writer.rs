//! The only owner of stdout: replies -> packets -> bytes.

use std::io;

use bytes::{Buf, BytesMut};
use tokio::sync::mpsc;

use super::reply::{self, Ready};
use super::stream::Output;
use crate::dispatcher::Reply;

/// Replies are put together up to this many bytes before they are written.
const BATCH: usize = 64 << 10;
/// A buffer that has grown larger than this is given back.
const KEEP: usize = 1 << 20;

/// Writes replies as they come, as many in one write as are there.
#[derive(Debug)]
pub struct Writer {
    output: Output,
    buffer: BytesMut,
    ready: Ready,
    max_frame: usize,
}

impl Writer {
    /// Writes packets of at most `max_frame` bytes.
    pub fn new(output: Output, ready: Ready, max_frame: usize) -> Self {
        Self { output, buffer: BytesMut::new(), ready, max_frame }
    }

    /// Works until nobody has anything to say any more, or nobody reads.
    pub async fn run(mut self, mut replies: mpsc::UnboundedReceiver<Reply>) -> io::Result<()> {
        loop {
            tokio::select! {
                biased;
                reply = replies.recv() => match reply {
                    Some(reply) => self.encode(&reply),
                    None => return Ok(()),
                },
                () = self.output.closed() => return Err(io::ErrorKind::BrokenPipe.into()),
            }
            while self.buffer.len() < BATCH {
                let Ok(reply) = replies.try_recv() else { break };
                self.encode(&reply);
            }
            self.flush().await?;
        }
    }

    fn encode(&mut self, reply: &Reply) {
        reply::write(reply, &self.ready, self.max_frame, &mut self.buffer);
    }

    async fn flush(&mut self) -> io::Result<()> {
        while !self.buffer.is_empty() {
            let written = self.output.write(&self.buffer).await?;
            self.buffer.advance(written);
        }
        if self.buffer.capacity() > KEEP {
            self.buffer = BytesMut::new();
        }
        Ok(())
    }
}
