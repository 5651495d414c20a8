//! Makes and measures the calls of one step: a number of callers, each waiting for its reply.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::bail;

use super::plan::Step;
use super::processor_time::ProcessorTime;
use super::row::Row;
use crate::call::{Body, Call, Form, Mfa, OnCancel, Policy, Returned, Target, WorkerId};
use crate::cli::complaint::{describe, say};
use crate::cli::session::Session;
use crate::cli::times::Times;
use crate::config::Config;
use crate::dispatcher::{Answer, PortId, Request};
use crate::worker;

/// The share of its time for which a step runs before it is measured.
const WARM_UP: u32 = 5;
/// How often to ask the pool whether its workers are ready.
const ASK_AGAIN: Duration = Duration::from_millis(2);

/// Makes calls of one function.
pub(super) struct Load<'a> {
    session: &'a mut Session,
    call: Call,
    next: PortId,
    in_flight: HashMap<PortId, Instant>,
    failed: bool,
}

/// The outcomes of calls so far.
#[derive(Default)]
struct Tally {
    calls: u64,
    failed: u64,
    total: Times,
    queue: Times,
    run: Times,
}

impl Tally {
    fn add(&mut self, took: Duration, outcome: Option<Returned>) {
        let Some(returned) = outcome else {
            self.failed += 1;
            return;
        };
        self.calls += 1;
        self.total.push(took);
        if let Some(meta) = returned.meta {
            self.queue.push(meta.queue);
            self.run.push(meta.run);
        }
    }
}

impl<'a> Load<'a> {
    /// Calls of this function with these arguments.
    pub(super) fn new(session: &'a mut Session, mfa: Mfa, body: Body, config: &Config) -> Self {
        let form = Form { none: config.values.none, max_frame: config.max_frame };
        // What is still running at the end of a step finishes in its worker, and its result is discarded.
        let policy = Policy { on_cancel: OnCancel::Finish, retry: 0, meta: true };
        let (limits, target, arrived) = (config.limits, Target::Any, Instant::now());
        let call = Call { mfa, body, limits, target, policy, form, fingerprint: None, arrived };
        Self { session, call, next: 0, in_flight: HashMap::new(), failed: false }
    }

    /// Returns whether a call has failed.
    pub(super) fn failed(&self) -> bool {
        self.failed
    }

    /// Lets each worker make one call, warms up, then measures for this time, and until there are as many outcomes as
    /// calls can run at once.
    pub(super) async fn step(&mut self, step: Step, time: Duration) -> anyhow::Result<Row> {
        let workers = self.resize(step.workers).await?;
        for (worker, _) in &workers {
            self.make(Target::Worker(*worker)).await?;
        }
        while !self.in_flight.is_empty() {
            self.outcome().await?;
        }
        for _ in 0..step.callers {
            self.make(Target::Any).await?;
        }
        let at_once = step.workers.min(step.callers) as u64;
        self.drive(time / WARM_UP, at_once).await?;
        let (begun, before) = (Instant::now(), processor_time(&workers));
        let tally = self.drive(time, at_once).await?;
        let elapsed = begun.elapsed();
        let used = processor_time(&workers).and_then(|now| Some(now.since(before?)));
        let memory = memory(&workers);
        self.cancel().await?;
        Ok(Row {
            step,
            calls: tally.calls,
            failed: tally.failed,
            calls_per_second: tally.calls as f64 / elapsed.as_secs_f64(),
            total: tally.total.quantiles(),
            queue: tally.queue.quantiles(),
            run: tally.run.quantiles(),
            memory,
            busy: used.map(|used| busy(used, elapsed.mul_f64(at_once as f64))),
        })
    }

    /// The workers of a pool of this size, with their pids, once all are there and idle.
    async fn resize(&mut self, size: usize) -> anyhow::Result<Vec<(WorkerId, u32)>> {
        self.ask(|id| Request::Resize(id, size)).await?;
        loop {
            if let Answer::Status(status) = self.ask(Request::Status).await? {
                if status.counts.idle == size && status.counts.all() == size {
                    return Ok(status.workers.iter().map(|worker| (worker.id, worker.pid)).collect());
                }
                if status.crash_loop {
                    let why = status.last_start_error.as_ref().map_or_else(|| "they die in calls".to_owned(), describe);
                    bail!("workers keep failing: {why}");
                }
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    /// Makes a request while no call is in flight.
    async fn ask(&mut self, request: impl FnOnce(PortId) -> Request) -> anyhow::Result<Answer> {
        self.next += 1;
        self.session.ask(request(self.next)).await?;
        Ok(self.session.answer().await?.1)
    }

    async fn make(&mut self, target: Target) -> anyhow::Result<()> {
        self.next += 1;
        let arrived = Instant::now();
        self.in_flight.insert(self.next, arrived);
        let call = Call { target, arrived, ..self.call.clone() };
        self.session.ask(Request::Call(self.next, Box::new(call))).await
    }

    /// Each caller makes its next call when it has the reply to its last one.
    async fn drive(&mut self, time: Duration, at_least: u64) -> anyhow::Result<Tally> {
        let (begun, mut tally) = (Instant::now(), Tally::default());
        while begun.elapsed() < time || tally.calls + tally.failed < at_least {
            let (took, outcome) = self.outcome().await?;
            tally.add(took, outcome);
            self.make(Target::Any).await?;
        }
        Ok(tally)
    }

    /// The next outcome of a call, and how long the call took. The first failure is printed.
    async fn outcome(&mut self) -> anyhow::Result<(Duration, Option<Returned>)> {
        let (id, answer) = self.session.answer().await?;
        let took = self.in_flight.remove(&id).map_or(Duration::ZERO, |arrived| arrived.elapsed());
        match answer {
            Answer::Value(returned) => Ok((took, Some(returned))),
            Answer::Failure(failure) => {
                if !std::mem::replace(&mut self.failed, true) {
                    say(&describe(&failure));
                }
                Ok((took, None))
            }
            other => bail!("a call was answered by {other:?}"),
        }
    }

    /// Cancels the calls in flight.
    async fn cancel(&mut self) -> anyhow::Result<()> {
        for id in self.in_flight.keys() {
            self.session.ask(Request::Cancel(*id)).await?;
        }
        while !self.in_flight.is_empty() {
            let (id, _) = self.session.answer().await?;
            self.in_flight.remove(&id);
        }
        Ok(())
    }
}

/// The CPU time of the workers since they started; `None` if the system does not report it, or a worker is gone.
fn processor_time(workers: &[(WorkerId, u32)]) -> Option<ProcessorTime> {
    workers.iter().map(|(_, pid)| ProcessorTime::of(*pid)).sum()
}

/// The fraction of this time for which processes used a processor. Time lost to other load on the machine does not
/// count.
fn busy(ProcessorTime { ran, queued }: ProcessorTime, time: Duration) -> f64 {
    ran.as_secs_f64() / time.saturating_sub(queued).max(ran).as_secs_f64().max(f64::MIN_POSITIVE)
}

/// The average memory of a worker, in bytes.
fn memory(workers: &[(WorkerId, u32)]) -> Option<u64> {
    let known: Vec<u64> = workers.iter().filter_map(|(_, pid)| worker::share_of_memory(*pid)).collect();
    known.iter().sum::<u64>().checked_div(known.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_others_have_kept_off_the_processors_is_as_busy_as_without_them() {
        let busy = |ran, queued| {
            let [ran, queued, time] = [ran, queued, 1000].map(Duration::from_millis);
            (100.0 * busy(ProcessorTime { ran, queued }, time)).round()
        };
        assert_eq!([busy(1000, 0), busy(500, 500), busy(300, 690)], [100.0, 100.0, 97.0], "computes");
        assert_eq!([busy(20, 0), busy(20, 400)], [2.0, 3.0], "waits");
        assert_eq!([busy(1900, 0), busy(900, 1100), busy(0, 1000)], [100.0, 100.0, 0.0], "several threads, and none");
    }
}
