//! The only owner of stdout: turns replies into packets and writes them.

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

/// Replies are gathered up to this many bytes before they are written.
const BATCH: usize = 64 << 10;

/// Writes replies as they come, as many small ones per write as there are. Large ones are encoded on helper threads.
/// Each is written as soon as it is done, and small ones that have arrived in between go before the next.
#[derive(Debug)]
pub struct Writer {
    output: Output,
    buffer: BytesMut,
    /// The shares of the replies in the buffer.
    shares: Vec<Share>,
    /// Large replies that wait for a helper thread.
    waiting: VecDeque<Reply>,
    /// Large packets that are being encoded or wait to be written: one per processor, since they may be larger than
    /// their pickles.
    large: JoinSet<(BytesMut, Share)>,
    helpers: usize,
    ready: Arc<Ready>,
    /// The last reply: that nothing more comes.
    drained: Vec<Reply>,
}

impl Writer {
    /// Writes to this output; `ready` is the content of the first packet.
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

    /// Runs until there is nothing more to write, or nobody reads.
    pub async fn run(mut self, mut replies: Outgoing<Reply>) -> io::Result<()> {
        loop {
            tokio::select! {
                biased;
                // Before the small ones, of which there may always be more; those get their turn between two large ones.
                Some(Ok((packet, share))) = self.large.join_next(), if !self.large.is_empty() => self.write_large(packet, share).await?,
                reply = replies.take() => match reply {
                    Some(reply) => self.encode(reply),
                    None => break,
                },
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
            // Results of earlier calls may still be in the making.
            Reply::To(_, Answer::Drained, _) => self.drained.push(reply),
            Reply::To(_, Answer::Value(ref value), _) if value.pickle.len() > LARGE => self.leave_to_helper(reply),
            // A small pickle may become a large term.
            reply if reply::write_up_to(LARGE, &reply, &self.ready, &mut self.buffer) => {
                self.shares.push(reply.into_share());
            }
            reply => self.leave_to_helper(reply),
        }
    }

    fn leave_to_helper(&mut self, reply: Reply) {
        self.waiting.push_back(reply);
        self.help();
    }

    /// Gives the helper threads as much as they can take.
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

    /// Writes a large packet, then returns its share.
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
