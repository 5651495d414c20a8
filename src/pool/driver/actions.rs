//! Performs the actions of the core.

use std::sync::Arc;
use std::time::Instant;

use tracing::debug;

use super::{Done, Pool};
use crate::allowance::Share;
use crate::call::{CallId, Outcome, Success, WorkerId};
use crate::pool::event::{Action, KillCause, Refusal};
use crate::pool::in_hand::Job;
use crate::pool::outcome;
use crate::pool::stopping::Verdict;
use crate::worker::{self, Ended, Handle};

impl Pool {
    pub(super) fn perform(&mut self, now: Instant, action: Action, ended: Option<&Ended>) {
        match action {
            Action::StartWorker { worker, generation } => {
                let launcher = Arc::clone(&self.launcher);
                let (allowance, events) = (self.allowance.clone(), self.sender.clone());
                let handle = worker::start(worker, generation, launcher, self.max_frame, allowance, events);
                self.workers.insert(worker, handle);
            }
            Action::Dispatch(worker, call) => {
                self.hand(worker, call);
                self.begin(now, call);
            }
            Action::Prefetch(worker, call) => self.hand(worker, call),
            Action::Begin(_, call) => self.begin(now, call),
            Action::TakeBack(worker) => {
                let calls = self.workers.get(&worker).map(Handle::take_back).unwrap_or_default();
                self.taken_back.push((worker, calls));
            }
            Action::Grant(worker, lease) => self.grant(worker, lease),
            Action::LeaseEnded(lease) => self.done.push_back(Done::Lease(lease)),
            Action::PingWorker(worker) => self.on(worker, Handle::ping),
            Action::InterruptWorker(worker) => self.interrupt(worker),
            Action::RetireWorker(worker) => self.on(worker, Handle::retire),
            Action::TerminateWorker(worker) => self.on(worker, Handle::terminate),
            Action::KillWorker(worker, cause) => self.kill(worker, cause),
            Action::Refuse(call, refusal) => self.refuse(now, call, refusal, ended),
            Action::Reloaded(call) => {
                self.in_hand.remove(&call);
                self.launcher.settled(self.core.generation());
                self.end(call, Ok(Success::Reloaded));
            }
            Action::Drained => self.done.push_back(Done::Drained),
        }
    }

    /// Hands a call to a worker; `send` sends it.
    fn hand(&mut self, worker: WorkerId, call: CallId) {
        if let (Some(handle), Some(in_hand)) = (self.workers.get(&worker), self.in_hand.get(&call))
            && let Job::Call(job) = &in_hand.job
        {
            handle.call(call, job.mfa.clone(), job.body.clone());
            if self.unsent.last() != Some(&worker) {
                self.unsent.push(worker);
            }
        }
    }

    /// A worker runs this call now.
    fn begin(&mut self, now: Instant, call: CallId) {
        if let Some(in_hand) = self.in_hand.get_mut(&call) {
            in_hand.start(now);
        }
    }

    fn grant(&mut self, worker: WorkerId, lease: CallId) {
        self.in_hand.remove(&lease);
        let pid = self.workers.get(&worker).and_then(Handle::pid).unwrap_or_default();
        self.end(lease, Ok(Success::Leased { worker, pid }));
    }

    fn interrupt(&mut self, worker: WorkerId) {
        let Some(call) = self.core.runs(worker) else { return };
        let Some(in_hand) = self.in_hand.get_mut(&call) else { return };
        in_hand.interrupted = true;
        let grace = in_hand.grace();
        self.on(worker, |handle| handle.interrupt(call, grace));
    }

    fn kill(&mut self, worker: WorkerId, cause: KillCause) {
        debug!(worker = worker.0, ?cause, "killed");
        let verdict = match cause {
            KillCause::StartTimeout => Some(Verdict::Start(outcome::of_slow_start(self.settings.start_timeout))),
            KillCause::Timeout => Some(Verdict::Call(None)),
            _ => None,
        };
        let stop = if verdict.is_some() { Handle::time_out } else { Handle::kill };
        self.stopping.kill(worker, cause, verdict);
        self.on(worker, stop);
    }

    fn refuse(&mut self, now: Instant, call: CallId, refusal: Refusal, ended: Option<&Ended>) {
        let Some(in_hand) = self.in_hand.remove(&call) else { return };
        let pid = refusal.worker().and_then(|worker| self.workers.get(&worker)?.pid());
        let context = outcome::Context {
            now,
            pid,
            ended,
            last_start_error: self.last_start_error.as_ref(),
            reload_error: self.reload_error.as_ref(),
            waiting: self.core.waiting().0,
        };
        let failure = outcome::of_refusal(refusal, &in_hand, context);
        if matches!(refusal, Refusal::ReloadFailed) {
            self.launcher.settled(self.core.generation());
        }
        // The worker that ran too long is still being killed; `worker_stopped` replies.
        let said = match refusal.worker() {
            Some(worker) => self.stopping.hold(worker, call, failure),
            None => Err(failure),
        };
        if let Err(failure) = said {
            self.end(call, Err(failure));
        }
    }

    /// Ends a job with an outcome of our own, which is small.
    pub(super) fn end(&mut self, call: CallId, outcome: Outcome) {
        self.done.push_back(Done::Job(call, outcome, Share::none()));
    }

    fn on(&self, worker: WorkerId, order: impl Fn(&Handle)) {
        self.workers.get(&worker).map(order);
    }
}
