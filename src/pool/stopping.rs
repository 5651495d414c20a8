//! Killed workers that have not ended: why they were killed, and what to report once they have ended.

use rustc_hash::FxHashMap;

use super::event::KillCause;
use crate::call::{CallId, Failure, WorkerId};

/// What to report once a worker whose time was over is dead.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Why this call ended, if somebody waits for it.
    Call(Option<(CallId, Failure)>),
    /// Why the worker did not become ready.
    Start(Failure),
}

#[derive(Debug)]
struct Entry {
    cause: KillCause,
    verdict: Option<Verdict>,
}

/// The killed workers that have not ended.
#[derive(Debug, Default)]
pub(super) struct Stopping(FxHashMap<WorkerId, Entry>);

impl Stopping {
    /// Records that a worker is killed. With a verdict it is first asked where it is, and the verdict waits for the
    /// answer.
    pub(super) fn kill(&mut self, worker: WorkerId, cause: KillCause, verdict: Option<Verdict>) {
        let held = self.0.remove(&worker).and_then(|entry| entry.verdict);
        self.0.insert(worker, Entry { cause, verdict: verdict.or(held) });
    }

    /// Keeps the failure of a worker's call until the worker is dead; returns it if there is nothing to wait for.
    pub(super) fn hold(&mut self, worker: WorkerId, call: CallId, failure: Failure) -> Result<(), Failure> {
        match self.0.get_mut(&worker).and_then(|entry| entry.verdict.as_mut()) {
            Some(verdict) => {
                *verdict = Verdict::Call(Some((call, failure)));
                Ok(())
            }
            None => Err(failure),
        }
    }

    /// Returns whether the report about this call waits for the death of its worker.
    pub(super) fn holds(&self, call: CallId) -> bool {
        self.0.values().any(|entry| matches!(&entry.verdict, Some(Verdict::Call(Some((held, _)))) if *held == call))
    }

    /// What to report about a worker that is dead, or about to be.
    pub(super) fn take_verdict(&mut self, worker: WorkerId) -> Option<Verdict> {
        self.0.get_mut(&worker)?.verdict.take()
    }

    /// Removes a worker that has ended; returns why it was killed, if it was.
    pub(super) fn ended(&mut self, worker: WorkerId) -> Option<KillCause> {
        self.0.remove(&worker).map(|entry| entry.cause)
    }
}
