//! Refuses calls that keep killing workers, for a while: docs/protocol.md 8.5.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// How long a kill counts.
const WINDOW: Duration = Duration::from_secs(600);
/// How many different calls are counted; beyond it, the one whose last kill is the oldest is forgotten.
const CALLS: usize = 1024;

/// The kills of each call within the last ten minutes.
#[derive(Debug)]
pub(super) struct Quarantine {
    limit: u32,
    kills: HashMap<u64, VecDeque<Instant>>,
}

impl Quarantine {
    /// Refuses a call that has killed this many workers; 0 refuses none.
    pub(super) fn new(limit: u32) -> Self {
        Self { limit, kills: HashMap::new() }
    }

    /// Records that a worker died while it ran this call.
    pub(super) fn killed(&mut self, now: Instant, fingerprint: u64) {
        if self.limit == 0 {
            return;
        }
        if self.kills.len() >= CALLS && !self.kills.contains_key(&fingerprint) {
            let oldest = self.kills.iter().min_by_key(|(_, kills)| kills.back().copied()).map(|(call, _)| *call);
            oldest.map(|call| self.kills.remove(&call));
        }
        let kills = self.kills.entry(fingerprint).or_default();
        kills.push_back(now);
        if kills.len() > self.limit as usize {
            kills.pop_front();
        }
    }

    /// How many workers a call has killed and how long it is refused; `None` if it may run.
    pub(super) fn refuses(&mut self, now: Instant, fingerprint: Option<u64>) -> Option<(u32, Duration)> {
        let fingerprint = fingerprint?;
        let kills = self.kills.get_mut(&fingerprint)?;
        while kills.front().is_some_and(|at| now.saturating_duration_since(*at) >= WINDOW) {
            kills.pop_front();
        }
        let Some(first) = kills.front().copied() else {
            self.kills.remove(&fingerprint);
            return None;
        };
        let rest = WINDOW.saturating_sub(now.saturating_duration_since(first));
        let count = u32::try_from(kills.len()).unwrap_or(u32::MAX);
        (count >= self.limit).then_some((count, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_refused_after_three_kills_until_the_first_is_ten_minutes_old() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut quarantine = Quarantine::new(3);
        (0..3).for_each(|minute| {
            assert_eq!(quarantine.refuses(at(60 * minute), Some(7)), None);
            quarantine.killed(at(60 * minute), 7);
        });
        assert_eq!(quarantine.refuses(at(180), Some(7)), Some((3, Duration::from_secs(420))));
        assert_eq!(quarantine.refuses(at(180), Some(8)), None);
        assert_eq!(quarantine.refuses(at(180), None), None);
        assert_eq!(quarantine.refuses(at(600), Some(7)), None);
    }

    #[test]
    fn the_memory_of_kills_is_bounded() {
        let now = Instant::now();
        let mut quarantine = Quarantine::new(1);
        (0..5000).for_each(|call| quarantine.killed(now + Duration::from_millis(call), call));
        assert_eq!(quarantine.kills.len(), CALLS);
        assert!(quarantine.refuses(now, Some(4999)).is_some());
        assert!(quarantine.refuses(now, Some(0)).is_none());
    }
}
