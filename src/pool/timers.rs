//! The core's timers. They hold times and never look at a clock.

use std::collections::BTreeSet;
use std::time::Instant;

use rustc_hash::FxHashMap;

use crate::call::{CallId, WorkerId};

/// Something with a timer. Each has at most one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A waiting call's `checkout_timeout`.
    Checkout(CallId),
    /// The limit of a starting, busy, idle or stopping worker; its state says which.
    Worker(WorkerId),
    /// How long a worker has to answer that it is alive.
    Check(WorkerId),
    /// The end of a call's rest before it is run again.
    Retry(CallId),
    /// A lease's limit.
    Lease(CallId),
    /// A worker's `max_age`.
    Age(WorkerId),
    /// How long the calls that were sent ahead to a worker wait behind the one that it runs.
    Behind(WorkerId),
    /// Starts are allowed again.
    BackOff,
    /// The end of a drain.
    Drain,
}

/// The set of timers, ordered by time.
#[derive(Debug, Default)]
pub(super) struct Timers {
    due: BTreeSet<(Instant, Timer)>,
    at: FxHashMap<Timer, Instant>,
}

impl Timers {
    /// Sets, moves or (with `None`) removes a timer.
    pub(super) fn set(&mut self, timer: Timer, at: Option<Instant>) {
        let before = match at {
            Some(at) => {
                self.due.insert((at, timer));
                self.at.insert(timer, at).filter(|before| *before != at)
            }
            None => self.at.remove(&timer),
        };
        if let Some(before) = before {
            self.due.remove(&(before, timer));
        }
    }

    /// When the next timer is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Removes a timer that is due at `now`, the earliest first.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Timer> {
        let (at, timer) = *self.due.first()?;
        if at > now {
            return None;
        }
        self.due.pop_first();
        self.at.remove(&timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn timers_fall_due_in_order_of_time_and_only_once() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut timers = Timers::default();
        timers.set(Timer::BackOff, Some(at(30)));
        timers.set(Timer::Worker(WorkerId(1)), Some(at(10)));
        timers.set(Timer::Checkout(CallId(1)), Some(at(20)));
        timers.set(Timer::Worker(WorkerId(1)), Some(at(40)));
        timers.set(Timer::BackOff, None);
        assert_eq!(timers.next(), Some(at(20)));
        assert_eq!(timers.pop(at(19)), None);
        assert_eq!(timers.pop(at(20)), Some(Timer::Checkout(CallId(1))));
        assert_eq!(timers.pop(at(50)), Some(Timer::Worker(WorkerId(1))));
        assert_eq!(timers.pop(at(50)), None);
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn setting_a_timer_to_the_time_it_has_keeps_it() {
        let at = Instant::now();
        let mut timers = Timers::default();
        timers.set(Timer::BackOff, Some(at));
        timers.set(Timer::BackOff, Some(at));
        assert_eq!(timers.pop(at), Some(Timer::BackOff));
        assert_eq!(timers.pop(at), None);
    }
}
