//! Two things at the same moment: whichever comes first, there is one reply.

use portpool::call::OnCancel;
use portpool::pool::{Demand, Event, Purpose, Run};

use super::bench::{Bench, demand, plain};
use super::model::{Phase, Stage, ms};
use crate::harness::chance::Chance;

const HISTORIES: u64 = 100_000;

fn call(timeout: Option<u64>, grace: u64, on_cancel: OnCancel) -> Demand {
    let run = Run { timeout: timeout.map(ms), grace: ms(grace), on_cancel, retry: 0, fingerprint: None };
    Demand { purpose: Purpose::Run(run), ..demand() }
}

/// One worker that runs one call; another call waits.
fn busy(call: Demand) -> Bench {
    let mut bench = Bench::new(portpool::pool::Settings { size: 1, ..plain() });
    bench.all_ready();
    bench.arrive(call);
    bench.arrive(demand());
    bench
}

fn finish_if_it_runs(bench: &mut Bench) {
    if let Some(worker) = bench.find(|phase| matches!(phase, Phase::Busy(_))) {
        bench.finish(worker);
    }
}

#[test]
fn a_reply_at_the_moment_of_the_deadline_is_one_reply_in_100_000_histories() {
    let mut chance = Chance(1);
    for _ in 0..HISTORIES {
        let grace = chance.below(2) * 5;
        let mut bench = busy(call(Some(10), grace, OnCancel::Kill));
        bench.pass(8 + chance.below(2));
        match chance.below(3) {
            0 => finish_if_it_runs(&mut bench),
            1 => bench.pass(chance.below(3)),
            _ => bench.happen(Event::TimePassed),
        }
        bench.pass(chance.below(3));
        finish_if_it_runs(&mut bench);
        bench.settle();
    }
}

#[test]
fn a_reply_at_the_moment_of_its_cancellation_is_one_reply_in_100_000_histories() {
    let mut chance = Chance(2);
    for _ in 0..HISTORIES {
        let on_cancel = if chance.below(2) == 0 { OnCancel::Kill } else { OnCancel::Finish };
        let mut bench = busy(call(None, 0, on_cancel));
        let cancelled = portpool::call::CallId(1 + chance.below(2));
        if chance.below(2) == 0 {
            bench.cancel(cancelled);
            finish_if_it_runs(&mut bench);
        } else {
            finish_if_it_runs(&mut bench);
            bench.cancel(cancelled);
        }
        bench.cancel(cancelled);
        let ask = bench.model.asks.get(&cancelled);
        assert!(ask.is_none_or(|ask| ask.stage == Stage::Abandoned), "it has had its one outcome");
        bench.settle();
        assert_eq!(bench.model.over.len(), 2);
    }
}

#[test]
fn workers_of_one_and_two_calls_lose_none_in_100_000_calls() {
    for max_calls in [1, 2] {
        for size in [1, 2, 3, 5, 8] {
            let settings = portpool::pool::Settings { size, max_calls: Some(max_calls), max_queue: 10, ..plain() };
            let mut bench = Bench::new(settings);
            for call in 0..10_000 {
                bench.arrive(demand());
                bench.happen(Event::TimePassed);
                let worker = bench.find(|phase| phase == Phase::Stopping);
                worker.into_iter().for_each(|worker| bench.die(worker, false));
                bench.all_ready();
                finish_if_it_runs(&mut bench);
                bench.history.clear();
                assert!(bench.core.totals().refused == 0, "call {call} was refused");
            }
            bench.settle();
        }
    }
}
