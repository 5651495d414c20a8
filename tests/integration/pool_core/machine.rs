//! Machines with a different number of processors.

use portpool::pool::Settings;

use super::bench::{Bench, plain};
use super::model::Phase;

#[test]
fn as_many_workers_start_at_once_as_there_are_processors() {
    for processors in [1, 2, 16] {
        let mut bench = Bench::new(Settings { size: 40, max_starting: processors, ..plain() });
        let mut ready = 0;
        while ready < 40 {
            assert_eq!(bench.core.counts().starting, processors.min(40 - ready));
            let worker = bench.find(|phase| phase == Phase::Starting).unwrap();
            bench.ready(worker);
            ready += 1;
        }
        bench.settle();
    }
}
