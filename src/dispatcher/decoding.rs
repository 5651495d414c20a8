//! Large calls that helper threads are decoding, limited in bytes. The pool does not know them yet.

use rustc_hash::FxHashMap;
use tokio::task::{AbortHandle, JoinHandle, JoinSet};

use crate::call::{Blame, Call, CallId, Failure, Phase, Reason};

/// The result of decoding a call.
type Decoded = Result<Call, Failure>;

/// The calls that are being decoded.
#[derive(Debug)]
pub(super) struct Decoding {
    tasks: JoinSet<(CallId, usize, Decoded)>,
    handles: FxHashMap<CallId, AbortHandle>,
    bytes: usize,
    max_bytes: usize,
}

impl Decoding {
    /// Allows this many bytes at once; a larger call goes alone.
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { tasks: JoinSet::new(), handles: FxHashMap::default(), bytes: 0, max_bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Adds a call.
    pub(super) fn enter(&mut self, number: CallId, bytes: usize, decoding: JoinHandle<Decoded>) -> Result<(), Failure> {
        if self.bytes > 0 && self.bytes.saturating_add(bytes) > self.max_bytes {
            decoding.abort();
            let message = "more large calls arrive than may be decoded at once (max_queue_bytes)";
            return Err(Failure::new(Reason::QueueFull, Phase::Checkout, Blame::Server, message));
        }
        self.bytes += bytes;
        self.handles.insert(number, decoding.abort_handle());
        self.tasks.spawn(async move {
            let lost = |_| Err(Failure::new(Reason::Internal, Phase::Call, Blame::Server, "a helper thread ended"));
            (number, bytes, decoding.await.unwrap_or_else(lost))
        });
        Ok(())
    }

    /// Waits for the next decoded call; `None` if none is being decoded.
    ///
    /// Cancellation: may be dropped at any await.
    pub(super) async fn next(&mut self) -> Option<(CallId, Decoded)> {
        let (number, bytes, decoded) = self.tasks.join_next().await?.ok()?;
        self.bytes -= bytes;
        self.handles.remove(&number);
        Some((number, decoded))
    }

    /// Stops decoding a call; false if it is not being decoded. Its bytes count until its thread has finished.
    pub(super) fn cancel(&mut self, number: CallId) -> bool {
        self.handles.remove(&number).map(|handle| handle.abort()).is_some()
    }
}
