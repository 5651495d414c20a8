//! Whether the thread polls again or sleeps when it has nothing to do.

use std::time::{Duration, Instant};

/// Polling stops after this many unsuccessful waits in a row.
const MAX_MISSES: u32 = 8;
/// After that, every wait with this ordinal tries again.
const PROBE: u32 = 64;

/// Decides whether to poll. Waking a processor that has gone to sleep takes longer than a small call, above all a
/// virtual processor. Where calls follow each other closely, the thread therefore stays awake for a moment after each
/// event. Where they do not, it soon stops doing so.
#[derive(Debug)]
pub(crate) struct BusyPoll {
    /// How long the thread stays awake after an event.
    limit: Duration,
    /// Until when it stays awake this time.
    until: Option<Instant>,
    /// Unsuccessful waits in a row.
    misses: u32,
    /// Waits without polling since then.
    asleep: u32,
}

impl BusyPoll {
    /// Stays awake for this long; 0 disables polling.
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, until: None, misses: 0, asleep: 0 }
    }

    /// Called after an event when more are expected.
    pub(crate) fn event(&mut self, now: Instant) {
        self.rest();
        if self.limit.is_zero() {
            return;
        }
        if self.misses >= MAX_MISSES {
            self.asleep += 1;
            if self.asleep < PROBE {
                return;
            }
            self.asleep = 0;
        }
        self.until = now.checked_add(self.limit);
    }

    /// Called after an event when no more are expected.
    pub(crate) fn rest(&mut self) {
        if self.until.take().is_some() {
            self.misses = 0;
        }
    }

    /// Returns whether the thread should stay awake.
    pub(crate) fn is_on(&self) -> bool {
        self.until.is_some()
    }

    /// Called when nothing has happened yet.
    pub(crate) fn no_event(&mut self, now: Instant) {
        if self.until.is_some_and(|until| until <= now) {
            self.until = None;
            self.misses += 1;
        }
    }
}

/// Yields the processor to this process's other tasks and to other processes; returns when everything that was ready
/// has had its turn.
pub(crate) async fn yield_to_others() {
    std::thread::yield_now();
    tokio::task::yield_now().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_micros(50);

    fn waits_in_vain(poll: &mut BusyPoll, now: Instant) -> bool {
        poll.event(now);
        let was_on = poll.is_on();
        poll.no_event(now + LIMIT);
        assert!(!poll.is_on());
        was_on
    }

    #[test]
    fn it_stays_awake_after_an_event_and_no_longer_than_its_limit() {
        let (mut poll, now) = (BusyPoll::new(LIMIT), Instant::now());
        assert!(!poll.is_on());
        poll.event(now);
        poll.no_event(now + LIMIT / 2);
        assert!(poll.is_on());
        poll.no_event(now + LIMIT);
        assert!(!poll.is_on());
    }

    #[test]
    fn when_nothing_comes_in_time_it_gives_up_but_for_a_look_now_and_then() {
        let (mut poll, now) = (BusyPoll::new(LIMIT), Instant::now());
        assert_eq!((0..1000).filter(|_| waits_in_vain(&mut poll, now)).count(), 8 + (1000 - 8) / 64);
        // One event in time restores polling.
        while !poll.is_on() {
            poll.event(now);
        }
        poll.event(now);
        assert!(poll.is_on());
        assert_eq!((0..8).filter(|_| waits_in_vain(&mut poll, now)).count(), 8);
    }

    #[test]
    fn what_comes_in_time_counts_also_if_it_is_the_last() {
        let (mut poll, now) = (BusyPoll::new(LIMIT), Instant::now());
        assert_eq!((0..8).filter(|_| waits_in_vain(&mut poll, now)).count(), 8);
        while !poll.is_on() {
            poll.event(now);
        }
        poll.rest();
        assert!(waits_in_vain(&mut poll, now));
    }

    #[test]
    fn a_limit_of_zero_is_never_and_with_nothing_to_come_it_rests() {
        let mut poll = BusyPoll::new(Duration::ZERO);
        poll.event(Instant::now());
        assert!(!poll.is_on());
        let mut poll = BusyPoll::new(LIMIT);
        poll.event(Instant::now());
        poll.rest();
        assert!(!poll.is_on());
    }
}
