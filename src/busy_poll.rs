//! Whether the thread looks again at once, or goes to sleep, when there is nothing to do for the moment.

use std::time::{Duration, Instant};

/// So many waits in a row that brought nothing are enough to give it up.
const PATIENCE: u32 = 8;
/// Then every so manieth wait shows whether things have changed.
const PROBE: u32 = 64;

/// Decides about that. A processor that has gone to sleep takes longer to wake up, above all a virtual one, than a small call takes: so
/// where calls follow each other closely, the thread stays awake for a moment after each event. Where they do not, it soon gives that up.
#[derive(Debug)]
pub(crate) struct BusyPoll {
    /// How long it stays awake after an event.
    limit: Duration,
    /// How long this time.
    until: Option<Instant>,
    /// Waits in a row that brought nothing.
    in_vain: u32,
    /// Waits that were none since then.
    asleep: u32,
}

impl BusyPoll {
    /// Stays awake for so long; 0: never.
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, until: None, in_vain: 0, asleep: 0 }
    }

    /// Something has happened, and something else will.
    pub(crate) fn happened(&mut self, now: Instant) {
        self.rest();
        if self.limit.is_zero() {
            return;
        }
        if self.in_vain >= PATIENCE {
            self.asleep += 1;
            if self.asleep < PROBE {
                return;
            }
            self.asleep = 0;
        }
        self.until = now.checked_add(self.limit);
    }

    /// Something has happened, and nothing else is expected.
    pub(crate) fn rest(&mut self) {
        if self.until.take().is_some() {
            self.in_vain = 0;
        }
    }

    /// Whether the thread is to stay awake.
    pub(crate) fn is_on(&self) -> bool {
        self.until.is_some()
    }

    /// Nothing has happened until now.
    pub(crate) fn nothing_yet(&mut self, now: Instant) {
        if self.until.is_some_and(|until| until <= now) {
            self.until = None;
            self.in_vain += 1;
        }
    }
}

/// Lets others have the processor for a moment, this process's tasks and other processes, and comes back when all that was ready has had its turn.
pub(crate) async fn let_others() {
    std::thread::yield_now();
    tokio::task::yield_now().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_micros(50);

    fn waits_in_vain(poll: &mut BusyPoll, now: Instant) -> bool {
        poll.happened(now);
        let was_on = poll.is_on();
        poll.nothing_yet(now + LIMIT);
        assert!(!poll.is_on());
        was_on
    }

    #[test]
    fn it_stays_awake_after_an_event_and_no_longer_than_its_limit() {
        let (mut poll, now) = (BusyPoll::new(LIMIT), Instant::now());
        assert!(!poll.is_on());
        poll.happened(now);
        poll.nothing_yet(now + LIMIT / 2);
        assert!(poll.is_on());
        poll.nothing_yet(now + LIMIT);
        assert!(!poll.is_on());
    }

    #[test]
    fn when_nothing_comes_in_time_it_gives_up_but_for_a_look_now_and_then() {
        let (mut poll, now) = (BusyPoll::new(LIMIT), Instant::now());
        assert_eq!((0..1000).filter(|_| waits_in_vain(&mut poll, now)).count(), 8 + (1000 - 8) / 64);
        // One event in time, and it is as before.
        while !poll.is_on() {
            poll.happened(now);
        }
        poll.happened(now);
        assert!(poll.is_on());
        assert_eq!((0..8).filter(|_| waits_in_vain(&mut poll, now)).count(), 8);
    }

    #[test]
    fn what_comes_in_time_counts_also_if_it_is_the_last() {
        let (mut poll, now) = (BusyPoll::new(LIMIT), Instant::now());
        assert_eq!((0..8).filter(|_| waits_in_vain(&mut poll, now)).count(), 8);
        while !poll.is_on() {
            poll.happened(now);
        }
        poll.rest();
        assert!(waits_in_vain(&mut poll, now));
    }

    #[test]
    fn a_limit_of_zero_is_never_and_with_nothing_to_come_it_rests() {
        let mut poll = BusyPoll::new(Duration::ZERO);
        poll.happened(Instant::now());
        assert!(!poll.is_on());
        let mut poll = BusyPoll::new(LIMIT);
        poll.happened(Instant::now());
        poll.rest();
        assert!(!poll.is_on());
    }
}
