//! Which numbers of workers and callers to measure.

use std::collections::BTreeSet;

/// A number of callers, each with one call at a time, and a number of workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) workers: usize,
    pub(super) callers: usize,
}

impl Step {
    /// Returns whether there is always a call for each worker, and one that waits.
    pub(super) fn is_full(self) -> bool {
        self.callers == 2 * self.workers
    }
}

/// The pool of `workers` gets 1, 2, 4, .. callers, up to four per worker. Pools of 1, 2, 4, .. workers up to twice as
/// many, and one with a worker per processor, get two per worker. The smallest pool comes first.
pub(super) fn plan(workers: usize, processors: usize) -> Vec<Step> {
    let of_all = up_to(4 * workers).into_iter().chain([2 * workers]).collect::<BTreeSet<_>>();
    let sizes =
        up_to(2 * workers).into_iter().chain([workers]).chain((processors <= 2 * workers).then_some(processors));
    let callers = |size| if size == workers { of_all.clone() } else { BTreeSet::from([2 * size]) };
    let sizes: BTreeSet<usize> = sizes.collect();
    sizes
        .into_iter()
        .flat_map(|workers| callers(workers).into_iter().map(move |callers| Step { workers, callers }))
        .collect()
}

/// 1, 2, 4, .. and the last.
fn up_to(last: usize) -> Vec<usize> {
    let doubled = std::iter::successors(Some(1_usize), |number| number.checked_mul(2));
    doubled.take_while(|number| *number < last).chain([last]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(workers: usize, processors: usize) -> Vec<(usize, usize)> {
        plan(workers, processors).into_iter().map(|step| (step.workers, step.callers)).collect()
    }

    #[test]
    fn callers_grow_for_one_pool_and_pools_grow_to_twice_its_size() {
        assert_eq!(pairs(1, 1), [(1, 1), (1, 2), (1, 4), (2, 4)]);
        assert_eq!(pairs(2, 2), [(1, 2), (2, 1), (2, 2), (2, 4), (2, 8), (4, 8)]);
        let three = [(1, 2), (2, 4), (3, 1), (3, 2), (3, 4), (3, 6), (3, 8), (3, 12), (4, 8), (5, 10), (6, 12)];
        assert_eq!(pairs(3, 5), three);
        assert_eq!(pairs(1, 64), pairs(1, 1), "what is far from the wish is not tried");
    }
}
