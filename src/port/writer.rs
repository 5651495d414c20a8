//! The only owner of stdout: replies -> packets -> bytes.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use bytes::{Buf, BytesMut};
use tokio::task::JoinSet;

use super::large::LARGE;
use super::reply::{self, Ready};
use super::stream::Output;
use crate::allowance::Share;
use crate::config::processors;
use crate::dispatcher::{Answer, Reply};
use crate::outbox::Outgoing;

/// Replies are put together up to this many bytes before they are written.
const BATCH: usize = 64 << 10;

/// Writes replies as they come, as many small ones in one write as are there. The codec works on large ones on helper threads; each is
/// written as soon as it is done, and the small ones that have come meanwhile go before the next.
#[derive(Debug)]
pub struct Writer {
    output: Output,
    buffer: BytesMut,
    /// The room that the replies in the buffer take.
    shares: Vec<Share>,
    /// Large replies that wait for a helper thread.
    waiting: VecDeque<Reply>,
    /// Large packets that are being made or wait to be written: one for each processor, since they may be larger than their pickles.
    large: JoinSet<(BytesMut, Share)>,
    helpers: usize,
    ready: Arc<Ready>,
    /// The last to be said: that nothing more comes.
    drained: Vec<Reply>,
}

impl Writer {
    /// Writes to this output; `ready` is what the first packet says.
    pub fn new(output: Output, ready: Ready) -> Self {
        Self {
            output,
            buffer: BytesMut::new(),
            shares: Vec::new(),
            waiting: VecDeque::new(),
            large: JoinSet::new(),
            helpers: processors(),
            ready: Arc::new(ready),
            drained: Vec::new(),
        }
    }

    /// Works until nobody has anything to say any more, or nobody reads.
    pub async fn run(mut self, mut replies: Outgoing<Reply>) -> io::Result<()> {
        loop {
            tokio::select! {
                biased;
                reply = replies.take() => match reply {
                    Some(reply) => self.encode(reply),
                    None => break,
                },
                Some(Ok((packet, share))) = self.large.join_next() => self.write_large(packet, share).await?,
                () = self.output.closed() => return Err(io::ErrorKind::BrokenPipe.into()),
            }
            while self.buffer.len() < BATCH {
                let Some(reply) = replies.take_now() else { break };
                self.encode(reply);
            }
            self.flush().await?;
        }
        while let Some(Ok((packet, share))) = self.large.join_next().await {
            self.write_large(packet, share).await?;
        }
        for reply in std::mem::take(&mut self.drained) {
            reply::write(&reply, &self.ready, &mut self.buffer);
        }
        self.flush().await
    }

    fn encode(&mut self, reply: Reply) {
        match reply {
            // Results of calls that ended before may still be worked on.
            Reply::To(_, Answer::Drained, _) => self.drained.push(reply),
            Reply::To(_, Answer::Value(ref value), _) if value.pickle.len() > LARGE => {
                self.waiting.push_back(reply);
                self.help();
            }
            reply => {
                reply::write(&reply, &self.ready, &mut self.buffer);
                self.shares.push(reply.into_share());
            }
        }
    }

    /// Gives the helper threads what they can take.
    fn help(&mut self) {
        while self.large.len() < self.helpers
            && let Some(reply) = self.waiting.pop_front()
        {
            let ready = Arc::clone(&self.ready);
            self.large.spawn_blocking(move || {
                let mut packet = BytesMut::new();
                reply::write(&reply, &ready, &mut packet);
                (packet, reply.into_share())
            });
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        let buffer = self.buffer.split();
        self.write(buffer).await?;
        self.shares.clear();
        Ok(())
    }

    /// Writes a large packet and then gives back the room that it has taken.
    async fn write_large(&mut self, packet: BytesMut, share: Share) -> io::Result<()> {
        self.help();
        self.write(packet).await?;
        drop(share);
        Ok(())
    }

    async fn write(&mut self, mut packets: BytesMut) -> io::Result<()> {
        while !packets.is_empty() {
            let written = self.output.write(&packets).await?;
            packets.advance(written);
        }
        Ok(())
    }
}
