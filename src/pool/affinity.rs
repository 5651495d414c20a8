//! Remembers which worker last had a key: calls with the same key run on the same worker while it lives
//! (docs/protocol.md 4.4).

use std::collections::{HashMap, HashSet, VecDeque};

use crate::call::WorkerId;

/// So many keys are remembered; then the one that has been known longest loses its worker.
const KEYS: usize = 65_536;

/// The worker of each key, and the keys of each worker.
#[derive(Debug, Default)]
pub(super) struct Affinity {
    workers: HashMap<u64, WorkerId>,
    keys: HashMap<WorkerId, HashSet<u64>>,
    /// The keys in the order in which they came; some may have lost their worker since.
    order: VecDeque<u64>,
}

impl Affinity {
    pub(super) fn of(&self, key: u64) -> Option<WorkerId> {
        self.workers.get(&key).copied()
    }

    pub(super) fn assign(&mut self, key: u64, worker: WorkerId) {
        match self.workers.insert(key, worker) {
            Some(before) if before == worker => return,
            Some(before) => self.leave(key, before),
            None => self.order.push_back(key),
        }
        self.keys.entry(worker).or_default().insert(key);
        if self.order.len() > KEYS
            && let Some(oldest) = self.order.pop_front()
            && let Some(home) = self.workers.remove(&oldest)
        {
            self.leave(oldest, home);
        }
    }

    fn leave(&mut self, key: u64, worker: WorkerId) {
        if let Some(keys) = self.keys.get_mut(&worker) {
            keys.remove(&key);
        }
    }

    /// A worker is no home any more.
    pub(super) fn forget(&mut self, worker: WorkerId) {
        for key in self.keys.remove(&worker).unwrap_or_default() {
            self.workers.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_keeps_its_worker_until_that_is_gone_or_too_many_came_after_it() {
        let (one, two) = (WorkerId(1), WorkerId(2));
        let mut affinity = Affinity::default();
        affinity.assign(0, one);
        (1..=KEYS as u64 - 1).for_each(|key| affinity.assign(key, two));
        assert_eq!((affinity.of(0), affinity.of(1)), (Some(one), Some(two)));
        affinity.assign(KEYS as u64, two);
        assert_eq!((affinity.of(0), affinity.of(1)), (None, Some(two)));
        affinity.forget(two);
        assert_eq!((affinity.of(1), affinity.workers.len(), affinity.keys.len()), (None, 0, 1));
    }
}
