//! Statistics of how long calls took.

use std::time::Duration;

/// Exact times: a million of them take 16 MB.
#[derive(Debug, Default)]
pub(super) struct Times(Vec<Duration>);

/// Three quantiles: half of all times are shorter than the first, all but a hundredth than the second, all but a
/// thousandth than the third.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quantiles {
    pub(super) p50: Duration,
    pub(super) p99: Duration,
    pub(super) p999: Duration,
}

impl Times {
    pub(super) fn push(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// `None` without times.
    pub(super) fn quantiles(mut self) -> Option<Quantiles> {
        self.0.sort_unstable();
        let at = |share: f64| self.0.get((self.0.len() as f64 * share) as usize).copied();
        Some(Quantiles { p50: at(0.5)?, p99: at(0.99)?, p999: at(0.999)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_all_times_in_any_order() {
        let mut times = Times::default();
        (0..1000).rev().map(Duration::from_millis).for_each(|time| times.push(time));
        let [p50, p99, p999] = [500, 990, 999].map(Duration::from_millis);
        assert_eq!(times.quantiles(), Some(Quantiles { p50, p99, p999 }));
        assert_eq!(Times::default().quantiles(), None);
    }
}
