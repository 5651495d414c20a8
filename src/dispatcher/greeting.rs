//! When the first packet is due, and whether it is `ready` or the end. docs/protocol.md 2.2 and 2.6

use std::future::pending;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::call::Failure;
use crate::config::{OnStartFailure, Wait};
use crate::pool::Pool;

/// How long a worker whose start took too long has to report where it was, and to die.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What to tell the owner.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Nothing yet.
    Wait,
    /// That the pool is ready.
    Ready,
    /// Why it cannot start.
    Failed(Failure),
}

/// The first packet, which is still due.
#[derive(Debug)]
pub(super) struct Greeting {
    wait: Wait,
    on_start_failure: OnStartFailure,
    /// When to check next in any case.
    due: Instant,
    /// Whether `start_timeout` is over.
    is_late: bool,
}

impl Greeting {
    /// Sends the first packet once the pool has the workers that `wait` asks for, or at `latest`.
    pub(super) fn new(wait: Wait, on_start_failure: OnStartFailure, latest: Instant) -> Self {
        Self { wait, on_start_failure, due: latest, is_late: false }
    }

    /// What to tell the owner now.
    pub(super) fn due(&mut self, now: Instant, pool: &Pool) -> Verdict {
        let fails = self.on_start_failure == OnStartFailure::Fail;
        if fails && let Some(failure) = pool.start_error() {
            return Verdict::Failed(failure.clone());
        }
        if pool.has_started(self.wait) {
            return Verdict::Ready;
        }
        if now < self.due {
            return Verdict::Wait;
        }
        match fails && !pool.has_started(Wait::First) {
            false => Verdict::Ready,
            true if self.is_late => Verdict::Failed(pool.slow_start()),
            true => {
                (self.is_late, self.due) = (true, now + LAST_WORDS);
                Verdict::Wait
            }
        }
    }

    /// Waits until the next check; forever once the first packet has been sent.
    pub(super) async fn next(greeting: Option<&Self>) {
        match greeting {
            Some(greeting) => sleep_until(greeting.due).await,
            None => pending().await,
        }
    }
}
