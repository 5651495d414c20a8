//! Rules of the core that random histories rarely reach.

use std::collections::BTreeMap;

use portpool::pool::{Action, Settings};

use super::bench::{Bench, plain};
use super::model::ms;

#[test]
fn a_successor_is_not_taken_for_overflow() {
    for max_overflow in [0, 2] {
        let settings = Settings { size: 4, max_overflow, max_age: Some(ms(300)), overflow_ttl: ms(50), ..plain() };
        let mut bench = Bench::new(settings);
        (0..100).for_each(|_| bench.live_well(20));
        let mut started = BTreeMap::new();
        let mut left = 0;
        for (at, _, actions) in &bench.history {
            for action in actions {
                match action {
                    Action::StartWorker { worker, .. } => drop(started.insert(*worker, *at)),
                    Action::RetireWorker(worker) => {
                        let age = *at - started[worker];
                        assert!(age >= ms(270), "{worker} had to leave after {age:?}");
                        left += 1;
                    }
                    _ => {}
                }
            }
        }
        assert!(left >= 12, "{left} left in two seconds");
    }
}
