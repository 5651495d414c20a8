//! Remembers which worker last had a key: calls with the same key run on the same worker while it lives
//! (docs/protocol.md 4.4).

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::call::WorkerId;

/// The number of keys to remember. Beyond it, the key that has had its worker longest loses it.
const KEYS: usize = 65_536;

/// The worker of each key, and the keys of each worker.
#[derive(Debug, Default)]
pub(super) struct Affinity {
    homes: HashMap<u64, Home>,
    keys: HashMap<WorkerId, HashSet<u64>>,
    /// The keys that have a worker, by the time at which they got one.
    order: BTreeMap<u64, u64>,
    next: u64,
}

/// The worker of a key, and its place in the order.
#[derive(Clone, Copy, Debug)]
struct Home {
    worker: WorkerId,
    place: u64,
}

impl Affinity {
    pub(super) fn of(&self, key: u64) -> Option<WorkerId> {
        self.homes.get(&key).map(|home| home.worker)
    }

    pub(super) fn assign(&mut self, key: u64, worker: WorkerId) {
        if self.of(key) == Some(worker) {
            return;
        }
        self.remove(key);
        self.homes.insert(key, Home { worker, place: self.next });
        self.order.insert(self.next, key);
        self.keys.entry(worker).or_default().insert(key);
        self.next += 1;
        if self.homes.len() > KEYS
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.remove(oldest);
        }
    }

    fn remove(&mut self, key: u64) {
        let Some(Home { worker, place }) = self.homes.remove(&key) else { return };
        self.order.remove(&place);
        if let Some(keys) = self.keys.get_mut(&worker) {
            keys.remove(&key);
        }
    }

    /// A worker takes no more calls: its keys get other workers.
    pub(super) fn forget(&mut self, worker: WorkerId) {
        for key in self.keys.remove(&worker).unwrap_or_default() {
            self.remove(key);
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
        assert_eq!((affinity.of(1), affinity.homes.len(), affinity.order.len(), affinity.keys.len()), (None, 0, 0, 1));
    }
}
