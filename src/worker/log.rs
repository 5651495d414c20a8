//! The destination of workers' lines: the server's own log, or its owner.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Semaphore, mpsc};
use tracing::{debug, error, info, warn};

use super::line::{InCall, Level, Line, Words};
use crate::call::WorkerId;

/// The stream of the server's own lines.
const SERVER: &str = "server";

/// The maximum number of lines on their way to the owner. If the owner does not read, further lines are dropped and
/// counted.
const ON_THEIR_WAY: usize = 1024;

/// The destination of lines. It accepts each line at once and never blocks.
#[derive(Clone, Debug)]
pub enum Log {
    /// To the server's stderr.
    Stderr,
    /// To its owner.
    Owner(ToOwner),
}

/// The way to the owner.
#[derive(Clone, Debug)]
pub struct ToOwner {
    lines: mpsc::UnboundedSender<Line>,
    room: Arc<Semaphore>,
    dropped: Arc<AtomicU64>,
}

/// The lines for the owner, in order.
#[derive(Debug)]
pub struct Lines(Option<mpsc::UnboundedReceiver<Line>>);

impl Log {
    /// Logs to the server's stderr; there are no lines for the owner.
    pub fn stderr() -> (Self, Lines) {
        (Self::Stderr, Lines(None))
    }

    /// Logs to the owner.
    pub fn owner() -> (Self, Lines) {
        let (sender, lines) = mpsc::unbounded_channel();
        let to_owner = ToOwner {
            lines: sender,
            room: Arc::new(Semaphore::new(ON_THEIR_WAY)),
            dropped: Arc::new(AtomicU64::new(0)),
        };
        (Self::Owner(to_owner), Lines(Some(lines)))
    }

    pub(super) fn line(&self, worker: WorkerId, call: Option<&InCall>, stream: &'static str, words: Words) {
        match self {
            Self::Stderr => say(worker, call, stream, &words),
            Self::Owner(to_owner) => to_owner.line(Some(worker), call, stream, words),
        }
    }

    /// Sends a warning of the server itself to its owner. It is already on stderr.
    pub fn warn(&self, level: Level, worker: Option<u64>, text: String) {
        if let Self::Owner(to_owner) = self {
            to_owner.line(worker.map(WorkerId), None, SERVER, Words::own(level, text));
        }
    }
}

fn say(worker: WorkerId, call: Option<&InCall>, stream: &'static str, words: &Words) {
    let (worker, call, logger, text) = (worker.0, call.map(|call| call.id.0), words.logger.as_deref(), &words.text);
    match words.level {
        Level::Debug => debug!(worker, call, stream, logger, "{text}"),
        Level::Info => info!(worker, call, stream, logger, "{text}"),
        Level::Warning => warn!(worker, call, stream, logger, "{text}"),
        Level::Error => error!(worker, call, stream, logger, "{text}"),
    }
}

impl ToOwner {
    fn line(&self, worker: Option<WorkerId>, call: Option<&InCall>, stream: &'static str, words: Words) {
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            let text = format!("{dropped} lines were dropped, because nobody read them");
            let is_said = self.send(worker, None, stream, Words::own(Level::Warning, text));
            self.dropped.fetch_add(if is_said { 0 } else { dropped }, Ordering::Relaxed);
        }
        if !self.send(worker, call, stream, words) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns false if there is no room.
    fn send(&self, worker: Option<WorkerId>, call: Option<&InCall>, stream: &'static str, words: Words) -> bool {
        let Ok(room) = Arc::clone(&self.room).try_acquire_owned() else { return false };
        let Words { level, logger, text, .. } = words;
        let call = call.map(|call| call.mfa.clone());
        // Nobody listens once the pool is gone.
        let _ = self.lines.send(Line { worker, call, stream, level, logger, text, _room: room });
        true
    }
}

impl Lines {
    /// Waits for the next line; forever, if there will be none.
    ///
    /// Cancellation: may be dropped at any time.
    pub async fn next(&mut self) -> Line {
        if let Some(lines) = &mut self.0
            && let Some(line) = lines.recv().await
        {
            return line;
        }
        std::future::pending().await
    }

    /// The next line, if there is one now.
    pub fn take(&mut self) -> Option<Line> {
        self.0.as_mut()?.try_recv().ok()
    }
}

/// Held by everything that has log pipes to read. Once the last holder has dropped it, everything in the pipes is on
/// its way.
#[derive(Clone, Debug)]
pub struct ToRead {
    _held: mpsc::Sender<Infallible>,
}

/// The other end.
#[derive(Debug)]
pub struct AllRead(mpsc::Receiver<Infallible>);

/// Creates both ends.
pub fn to_read() -> (ToRead, AllRead) {
    let (held, all_let_go) = mpsc::channel(1);
    (ToRead { _held: held }, AllRead(all_let_go))
}

impl AllRead {
    /// Waits until nobody holds the other end any more.
    pub async fn wait(mut self) {
        while self.0.recv().await.is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_nobody_reads_are_dropped_and_counted() {
        let (log, mut lines) = Log::owner();
        let say = |text: &str| log.line(WorkerId(1), None, "stdout", Words::own(Level::Info, text.to_owned()));
        (0..ON_THEIR_WAY + 3).for_each(|number| say(&number.to_string()));
        // The line itself takes one place; one more is needed to report what was dropped.
        drop((lines.take(), lines.take()));
        say("next");
        let texts: Vec<String> = std::iter::from_fn(|| lines.take()).map(|line| line.text).collect();
        assert_eq!(texts.len(), ON_THEIR_WAY);
        assert_eq!(texts[0], "2");
        let last = ["3 lines were dropped, because nobody read them", "next"];
        assert_eq!(texts[ON_THEIR_WAY - 2..], last);
    }
}
