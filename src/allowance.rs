//! How many bytes of results may be on their way to the owner. Beyond that they wait, unread, in the channels of their workers.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Results of at most so many bytes do not wait behind larger ones: part of the allowance is theirs alone.
const SMALL: usize = 256 << 10;
/// One part in so many.
const PARTS: usize = 8;
/// What a result takes beside its bytes, about.
const AROUND: usize = 512;

/// The bytes of results that may be on their way. A result counts twice, as its worker sent it and as the packet that it becomes, until
/// it is written; one that is larger than the allowance goes alone. Clones share one allowance.
///
/// It cannot lock up: whoever waits for a share holds none, and whoever holds one waits for the owner alone.
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
            // The second time it can only fail if the semaphore is closed, which nobody does.
            Err(_) => {
                Claim::Waits(Place(Box::pin(
                    async move { Share { _permit: free.acquire_many_owned(wanted).await.ok() } },
                )))
            }
        }
    }
}

impl Allowance {
    /// An allowance of so many bytes.
    pub fn new(bytes: usize) -> Self {
        Self { small: Lane::new(bytes / PARTS), large: Lane::new(bytes - bytes / PARTS) }
    }

    /// Claims room for a result of so many bytes.
    pub fn claim(&self, bytes: usize) -> Claim {
        let lane = if bytes <= SMALL { &self.small } else { &self.large };
        lane.claim(bytes.saturating_mul(2).saturating_add(AROUND))
    }

    /// The bytes that are on their way.
    pub fn taken(&self) -> usize {
        [&self.small, &self.large].map(|lane| lane.bytes - lane.free.available_permits()).iter().sum()
    }
}

/// What comes of a claim.
#[derive(Debug)]
pub enum Claim {
    /// There was room.
    Granted(Share),
    /// There is none yet.
    Waits(Place),
}

/// A place in the line of those who wait for room. It is lost when this is dropped.
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

/// A share in the allowance, given back when it is dropped.
#[must_use]
#[derive(Debug)]
pub struct Share {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Share {
    /// The share of what takes no room worth counting.
    pub fn none() -> Self {
        Self { _permit: None }
    }
}
