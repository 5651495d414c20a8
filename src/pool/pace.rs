//! How long the calls of each function take, to guess how long the next one will.

use std::hash::BuildHasher;
use std::time::Duration;

use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::call::Mfa;

/// The number of functions to remember. When there are more, it begins anew.
const FUNCTIONS: usize = 4096;
/// The weight of the past: a function that was slow once is taken for slow for some twenty calls.
const WEIGHT: u32 = 8;

/// The mean time of each function, in nanoseconds; recent calls count more.
#[derive(Debug, Default)]
pub(super) struct Pace(FxHashMap<u64, u32>);

impl Pace {
    /// How long a call of this function will probably run; `None` for the first one.
    pub(super) fn of(&self, mfa: &Mfa) -> Option<Duration> {
        self.0.get(&key(mfa)).map(|mean| Duration::from_nanos((*mean).into()))
    }

    /// A call of this function has run for this long.
    pub(super) fn ran(&mut self, mfa: &Mfa, run: Duration) {
        let run = u32::try_from(run.as_nanos()).unwrap_or(u32::MAX);
        if let Some(mean) = self.0.get_mut(&key(mfa)) {
            *mean = *mean - *mean / WEIGHT + run / WEIGHT;
            return;
        }
        if self.0.len() >= FUNCTIONS {
            self.0.clear();
        }
        self.0.insert(key(mfa), run);
    }
}

fn key(mfa: &Mfa) -> u64 {
    FxBuildHasher.hash_one((&mfa.module, &mfa.function))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slow_call_makes_a_function_slow_for_a_while() {
        let (mut pace, mfa) = (Pace::default(), Mfa { module: "operator".into(), function: "add".into() });
        assert_eq!(pace.of(&mfa), None);
        pace.ran(&mfa, Duration::from_micros(8));
        assert_eq!(pace.of(&mfa), Some(Duration::from_micros(8)));
        pace.ran(&mfa, Duration::from_millis(5));
        let limit = Some(Duration::from_micros(50));
        let calls = (0..100).take_while(|_| {
            pace.ran(&mfa, Duration::from_micros(8));
            pace.of(&mfa) > limit
        });
        assert!((15..30).contains(&calls.count()));
    }
}
