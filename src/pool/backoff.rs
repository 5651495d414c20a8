//! When workers may be started again after failures, and when to stop promising that they will be.

use std::time::{Duration, Instant};

use super::random::Random;

/// The first pause; it doubles with each failure.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// This many failures in a row, without a finished call in between, are a crash loop.
const CRASH_LOOP: u32 = 5;

/// The longest pause after this many earlier failures: 100 ms, 200 ms, .. 30 s. docs/protocol.md 8.3
pub(super) fn pause_after(failures: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << failures.min(9)).min(LONGEST_PAUSE)
}

/// Counts failures in a row. docs/protocol.md 8.3.
#[derive(Debug)]
pub(super) struct BackOff {
    failures: u32,
    until: Option<Instant>,
    random: Random,
}

impl BackOff {
    /// Starts without failures. The seed makes the jitter repeatable.
    pub(super) fn new(seed: u64) -> Self {
        Self { failures: 0, until: None, random: Random::new(seed) }
    }

    /// Records a failure of a worker; no start before the returned time. Full jitter, so that pools that failed
    /// together do not start together.
    pub(super) fn failed(&mut self, now: Instant) -> Instant {
        let pause = pause_after(self.failures);
        self.failures = self.failures.saturating_add(1);
        let until = now + pause.mul_f64(self.random.fraction());
        self.until = Some(until);
        until
    }

    /// Records a finished call: earlier failures no longer count. A running pause continues, or a busy pool would keep
    /// starting a worker that cannot start.
    pub(super) fn progressed(&mut self) {
        self.failures = 0;
    }

    /// Returns whether a worker may be started.
    pub(super) fn allows_start(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| until <= now)
    }

    /// Returns whether workers keep failing.
    pub(super) fn is_crash_loop(&self) -> bool {
        self.failures >= CRASH_LOOP
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_with_each_failure_but_never_past_thirty_seconds() {
        let now = Instant::now();
        let mut backoff = BackOff::new(7);
        for failures in 0..40u32 {
            let limit = Duration::from_millis(100 * 2u64.pow(failures.min(9))).min(LONGEST_PAUSE);
            let until = backoff.failed(now);
            assert!(until - now < limit, "after {failures} failures: {:?} of {limit:?}", until - now);
            assert_eq!(backoff.is_crash_loop(), failures + 1 >= 5);
        }
    }

    #[test]
    fn a_finished_call_ends_the_crash_loop_but_not_the_pause() {
        let now = Instant::now();
        let mut backoff = BackOff::new(7);
        (0..5).for_each(|_| {
            backoff.failed(now);
        });
        assert!(backoff.is_crash_loop());
        let until = backoff.failed(now);
        backoff.progressed();
        assert!(!backoff.is_crash_loop());
        assert!(!backoff.allows_start(now) && backoff.allows_start(until));
    }
}
