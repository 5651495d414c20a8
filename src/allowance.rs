//! Limits the bytes of results on their way to the owner. Results beyond the limit wait, unread, in the channels of
//! their workers.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The maximum size of a result that does not wait behind larger ones: part of the allowance is reserved for those.
const SMALL: usize = 256 << 10;
/// The reserved part is one in this many.
const PARTS: usize = 8;
/// The approximate overhead of a result, in bytes.
const AROUND: usize = 512;

/// The bytes of results that may be on their way. Until it is written, a result counts twice: as received from its
/// worker, and as the packet it becomes. A result larger than the allowance goes alone. Clones share one allowance.
///
/// It cannot deadlock: a task that waits for a share holds none, and one that holds a share waits only for the owner.
#[derive(Clone, Debug)]
pub struct Allowance {
    small: Lane,
    large: Lane,
}

/// A part of the allowance, first come, first served.
#[derive(Clone, Debug)]
struct Lane {
    bytes: usize,
    free: Arc<Semaphore>,
}

impl Lane {
    fn new(bytes: usize) -> Self {
        let bytes = bytes.clamp(1, Semaphore::MAX_PERMITS);
        Self { bytes, free: Arc::new(Semaphore::new(bytes)) }
    }

    fn claim(&self, bytes: usize) -> Claim {
        let free = Arc::clone(&self.free);
        let wanted = u32::try_from(bytes.min(self.bytes)).unwrap_or(u32::MAX);
        match Arc::clone(&free).try_acquire_many_owned(wanted) {
            Ok(permit) => Claim::Granted(Share { _permit: Some(permit) }),
            // On the second attempt it can only fail if the semaphore is closed, and nobody closes it.
            Err(_) => {
                Claim::Waits(Place(Box::pin(
                    async move { Share { _permit: free.acquire_many_owned(wanted).await.ok() } },
                )))
            }
        }
    }
}

impl Allowance {
    /// An allowance of this many bytes.
    pub fn new(bytes: usize) -> Self {
        Self { small: Lane::new(bytes / PARTS), large: Lane::new(bytes - bytes / PARTS) }
    }

    /// Claims room for a result of this many bytes.
    pub fn claim(&self, bytes: usize) -> Claim {
        let lane = if bytes <= SMALL { &self.small } else { &self.large };
        lane.claim(bytes.saturating_mul(2).saturating_add(AROUND))
    }

    /// The bytes on their way.
    pub fn taken(&self) -> usize {
        [&self.small, &self.large].map(|lane| lane.bytes - lane.free.available_permits()).iter().sum()
    }
}

/// The answer to a claim.
#[derive(Debug)]
pub enum Claim {
    /// There is room.
    Granted(Share),
    /// There is no room yet.
    Waits(Place),
}

/// A place in the line for room. Dropping it gives the place up.
pub struct Place(Pin<Box<dyn Future<Output = Share> + Send + Sync>>);

impl Place {
    /// Waits for room.
    ///
    /// Cancellation: may be dropped at any await; the place is kept.
    pub async fn granted(&mut self) -> Share {
        self.0.as_mut().await
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Place")
    }
}

/// A share of the allowance, returned when it is dropped.
#[must_use]
#[derive(Debug)]
pub struct Share {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Share {
    /// The share of a result too small to count.
    pub fn none() -> Self {
        Self { _permit: None }
    }
}
