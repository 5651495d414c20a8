//! What is said to the owner and not yet written, counted: whoever does not read its replies is not to fill the memory with them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// So many may wait before no more requests are taken in. A small one takes less than a KiB; large ones wait for room elsewhere.
const MOST: usize = 16_384;

/// The end into which things are put. It never makes anybody wait: a slow reader of replies must not stop the pool.
#[derive(Debug)]
pub struct Outbox<T> {
    sender: UnboundedSender<T>,
    fill: Arc<Fill>,
}

/// The end out of which they are taken, in their order.
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

/// Makes one.
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
    /// Puts one in. Nobody listens once the owner is gone, and then it is lost.
    pub fn put(&self, what: T) {
        // Before it can be taken.
        self.fill.waiting.fetch_add(1, Ordering::Relaxed);
        let _ = self.sender.send(what);
    }

    /// Whether so much waits that requests should, too.
    pub fn is_full(&self) -> bool {
        self.fill.waiting.load(Ordering::Relaxed) >= MOST
    }

    /// Waits until it is not full. For one at a time.
    ///
    /// Cancellation: may be dropped at any time.
    pub async fn room(&self) {
        while self.is_full() {
            self.fill.room.notified().await;
        }
    }
}

impl<T> Outgoing<T> {
    /// The next; `None` when nobody can put any more in.
    ///
    /// Cancellation: may be dropped at any time.
    pub async fn take(&mut self) -> Option<T> {
        let taken = self.receiver.recv().await;
        self.taken(taken)
    }

    /// The next, if there is one now.
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
