//! Which worker had a key last: calls with the same key run on the same worker while it lives (docs/protocol.md 4.4).

use std::collections::{BTreeMap, VecDeque};

use crate::call::WorkerId;

/// So many keys are remembered; then the one that has been known longest loses its worker.
const KEYS: usize = 65_536;

/// The worker of each key.
#[derive(Debug, Default)]
pub(super) struct Homes {
    workers: BTreeMap<u64, WorkerId>,
    /// The keys in the order in which they came; some may have lost their worker.
    order: VecDeque<u64>,
}

impl Homes {
    pub(super) fn of(&self, key: u64) -> Option<WorkerId> {
        self.workers.get(&key).copied()
    }

    pub(super) fn settle(&mut self, key: u64, worker: WorkerId) {
        if self.workers.insert(key, worker).is_none() {
            self.order.push_back(key);
            if self.order.len() > KEYS
                && let Some(oldest) = self.order.pop_front()
            {
                self.workers.remove(&oldest);
            }
        }
    }

    /// A worker is no home any more.
    pub(super) fn forget(&mut self, worker: WorkerId) {
        if self.workers.is_empty() {
            return;
        }
        self.workers.retain(|_, home| *home != worker);
        self.order.retain(|key| self.workers.contains_key(key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_keeps_its_worker_until_that_is_gone_or_too_many_came_after_it() {
        let (one, two) = (WorkerId(1), WorkerId(2));
        let mut homes = Homes::default();
        homes.settle(0, one);
        (1..=KEYS as u64 - 1).for_each(|key| homes.settle(key, two));
        assert_eq!((homes.of(0), homes.of(1)), (Some(one), Some(two)));
        homes.settle(KEYS as u64, two);
        assert_eq!((homes.of(0), homes.of(1)), (None, Some(two)));
        homes.forget(two);
        assert_eq!((homes.of(1), homes.order.len()), (None, 0));
    }
}
