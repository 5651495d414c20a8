//! Counts the messages to the owner that are not yet written, so that an owner that does not read its replies cannot
//! fill the memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// With this many waiting, no more requests are read. A small message takes less than a KiB; large ones wait for room
/// elsewhere.
const MOST: usize = 16_384;

/// The sending end. It never blocks: an owner that reads slowly must not stop the pool.
#[derive(Debug)]
pub struct Outbox<T> {
    sender: UnboundedSender<T>,
    fill: Arc<Fill>,
}

/// The receiving end, in order.
#[derive(Debug)]
pub struct Outgoing<T> {
    receiver: UnboundedReceiver<T>,
    fill: Arc<Fill>,
}

#[derive(Debug, Default)]
struct Fill {
    waiting: AtomicUsize,
    room: Notify,
}

/// Creates both ends.
pub fn outbox<T>() -> (Outbox<T>, Outgoing<T>) {
    let (sender, receiver) = unbounded_channel();
    let fill = Arc::<Fill>::default();
    (Outbox { sender, fill: Arc::clone(&fill) }, Outgoing { receiver, fill })
}

impl<T> Clone for Outbox<T> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone(), fill: Arc::clone(&self.fill) }
    }
}

impl<T> Outbox<T> {
    /// Sends a message. Once the owner is gone, nobody listens and the message is lost.
    pub fn put(&self, what: T) {
        // Counted before it can be received.
        self.fill.waiting.fetch_add(1, Ordering::Relaxed);
        let _ = self.sender.send(what);
    }

    /// Returns whether too many messages wait to read more requests.
    pub fn is_full(&self) -> bool {
        self.fill.waiting.load(Ordering::Relaxed) >= MOST
    }

    /// Waits until it is no longer full. For one waiter at a time.
    ///
    /// Cancellation: may be dropped at any time.
    pub async fn room(&self) {
        while self.is_full() {
            self.fill.room.notified().await;
        }
    }
}

impl<T> Outgoing<T> {
    /// The next message; `None` once all senders are gone.
    ///
    /// Cancellation: may be dropped at any time.
    pub async fn take(&mut self) -> Option<T> {
        let taken = self.receiver.recv().await;
        self.taken(taken)
    }

    /// The next message, if there is one now.
    pub fn take_now(&mut self) -> Option<T> {
        let taken = self.receiver.try_recv().ok();
        self.taken(taken)
    }

    fn taken(&self, taken: Option<T>) -> Option<T> {
        if taken.is_some() && self.fill.waiting.fetch_sub(1, Ordering::Relaxed) == MOST {
            self.fill.room.notify_one();
        }
        taken
    }
}
