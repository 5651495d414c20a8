//! Replacement of workers, and what the owner changes while the pool runs: resize, reload, drain.

use std::time::{Duration, Instant};

use super::{Core, Drain, KillCause, Reload, State};
use crate::call::{CallId, WorkerId};
use crate::pool::event::{Action, Refusal};
use crate::pool::queue::earliest;
use crate::pool::timers::Timer;

impl Core {
    /// A worker takes one of the calls it may take. When it takes the last but one, it needs a successor.
    pub(super) fn count_call(&mut self, id: WorkerId) {
        let Some(worker) = self.roster.get_mut(id) else { return };
        let Some(left) = worker.calls_left.as_mut() else { return };
        *left = left.saturating_sub(1);
        let left = *left;
        worker.exhausted |= left == 0;
        if left <= 1 {
            self.roster.mark_replaceable(id);
        }
    }

    /// A worker's memory is inconsistent: it finishes its call and takes no other, and its lease ends.
    pub(super) fn worker_spoiled(&mut self, now: Instant, id: WorkerId, actions: &mut Vec<Action>) {
        let Some(worker) = self.roster.get_mut(id) else { return };
        worker.exhausted = true;
        let lease = worker.lease;
        self.roster.mark_replaceable(id);
        match lease {
            Some(lease) => self.checked_in(now, lease, true, actions),
            None if self.roster.is_idle(id) => self.retire(now, id, actions),
            None => {}
        }
    }

    /// Returns whether a free worker must not take another call.
    pub(super) fn must_retire(&self, id: WorkerId) -> bool {
        let Some(worker) = self.roster.get(id) else { return false };
        // A worker that is only replaceable serves until its successor is ready.
        worker.exhausted || self.is_draining() || (worker.replaceable && self.has_replacement(id))
    }

    /// Returns whether there are enough ready workers without this one.
    fn has_replacement(&self, id: WorkerId) -> bool {
        let is_ready = !self.is_starting(id);
        self.roster.counts().ready() - usize::from(is_ready) >= self.settings.size
    }

    /// Retires idle workers that have a successor or are no longer wanted.
    pub(super) fn replace_workers(&mut self, now: Instant, actions: &mut Vec<Action>) {
        if self.is_draining() {
            return self.continue_draining(now, actions);
        }
        while self.roster.replaceable() > 0 && self.roster.counts().ready() > self.settings.size {
            let leaving = self.roster.idle().find(|id| self.roster.get(*id).is_some_and(|worker| worker.replaceable));
            let Some(leaving) = leaving else { return };
            self.retire(now, leaving, actions);
        }
    }

    /// The size changed. Workers between `size` and `max_overflow` are now overflow; those beyond leave as if they had
    /// been replaced: idle ones at once, busy ones after their call.
    pub(super) fn resized(&mut self, now: Instant, size: usize) {
        self.settings.size = size;
        let excess =
            self.roster.counts().useful().saturating_sub(self.slots().saturating_add(self.roster.replaceable()));
        let mut workers: Vec<(u8, WorkerId)> = self
            .roster
            .iter()
            .filter(|(id, worker)| !worker.replaceable && self.roster.is_useful(*id))
            .map(|(id, worker)| (worker.state.rank(), id))
            .collect();
        workers.sort_unstable();
        workers.into_iter().take(excess).for_each(|(_, worker)| self.roster.mark_replaceable(worker));
        let idle: Vec<WorkerId> = self.roster.idle().collect();
        idle.into_iter().for_each(|worker| self.set_idle_timer(now, worker));
    }

    /// Requests a worker of a new generation next to the others.
    pub(super) fn reload_asked(&mut self, now: Instant, call: CallId, actions: &mut Vec<Action>) {
        if self.is_draining() {
            return actions.push(Action::Refuse(call, Refusal::Draining));
        }
        let before = self.reload.take();
        let candidate = before.as_ref().and_then(|reload| reload.candidate);
        if let Some(candidate) = candidate.filter(|worker| self.is_starting(*worker)) {
            self.kill(now, candidate, KillCause::Superseded, actions);
        }
        // The code may have changed in between: earlier requesters get the answer of the newest reload.
        let mut asked = before.map(|reload| reload.asked).unwrap_or_default();
        asked.push(call);
        self.reload = Some(Reload { generation: self.next_generation, candidate: None, asked });
        self.next_generation += 1;
    }

    /// Starts the first worker of a new generation as soon as there is a slot for it.
    pub(super) fn start_candidate(&mut self, now: Instant, actions: &mut Vec<Action>) {
        // A worker to be replaced may be busy for long. One of them does not hold up another reload.
        let spare = usize::from(self.roster.replaceable() > 0);
        let has_slot = self.roster.counts().all() <= self.slots() + spare;
        let Some(Reload { generation, candidate: None, .. }) = self.reload else { return };
        if has_slot {
            let candidate = self.start(now, generation, actions);
            self.reload = self.reload.take().map(|reload| Reload { candidate: Some(candidate), ..reload });
        }
    }

    /// Returns whether one of the useful workers is the first of a new generation.
    pub(super) fn has_candidate(&self) -> bool {
        let candidate = self.reload.as_ref().and_then(|reload| reload.candidate);
        candidate.is_some_and(|worker| self.roster.is_useful(worker))
    }

    /// Returns whether this worker must prove a new generation.
    pub fn is_candidate(&self, worker: WorkerId) -> bool {
        self.reload.as_ref().is_some_and(|reload| reload.candidate == Some(worker))
    }

    /// If this is its first worker, the new generation has proved itself: all others are replaceable.
    pub(super) fn candidate_is_ready(&mut self, now: Instant, worker: WorkerId, actions: &mut Vec<Action>) {
        let Some(reload) = self.reload.take_if(|reload| reload.candidate == Some(worker)) else { return };
        self.generation = reload.generation;
        let old: Vec<(WorkerId, bool)> = self
            .roster
            .iter()
            .filter(|(id, worker)| worker.generation < self.generation && self.roster.is_useful(*id))
            .map(|(id, worker)| (id, matches!(worker.state, State::Starting)))
            .collect();
        for (id, is_starting) in old {
            if is_starting {
                self.kill(now, id, KillCause::Superseded, actions);
            } else {
                self.roster.mark_replaceable(id);
            }
        }
        actions.extend(reload.asked.into_iter().map(Action::Reloaded));
    }

    /// Returns whether the worker that is gone was to prove a new generation. The old generation stays.
    pub(super) fn candidate_is_gone(&mut self, worker: WorkerId, actions: &mut Vec<Action>) -> bool {
        let Some(reload) = self.reload.take_if(|reload| reload.candidate == Some(worker)) else { return false };
        actions.extend(reload.asked.into_iter().map(|call| Action::Refuse(call, Refusal::ReloadFailed)));
        true
    }

    /// Refuses what waits, and gives running calls this long. A second request can only shorten it.
    pub(super) fn drain_asked(&mut self, now: Instant, limit: Option<Duration>, actions: &mut Vec<Action>) {
        let ends = limit.and_then(|limit| now.checked_add(limit));
        if let Some(drain) = &mut self.drain {
            drain.ends = earliest(drain.ends, ends);
            self.timers.set(Timer::Drain, drain.ends);
            return;
        }
        self.drain = Some(Drain { ends, done: false });
        self.timers.set(Timer::Drain, ends);
        self.timers.set(Timer::BackOff, None);
        let reloads = self.reload.take().map(|reload| reload.asked).unwrap_or_default();
        let retrying = std::mem::take(&mut self.retrying).into_keys();
        let waiting = retrying.chain(self.queue.take_all());
        for call in reloads.into_iter().chain(waiting) {
            self.timers.set(Timer::Retry(call), None);
            self.timers.set(Timer::Checkout(call), None);
            actions.push(Action::Refuse(call, Refusal::Draining));
        }
        while let Some(lease) = self.leases.keys().next().copied() {
            self.checked_in(now, lease, true, actions);
        }
    }

    /// Retires idle workers; when none is left, the drain is over.
    fn continue_draining(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let idle: Vec<WorkerId> = self.roster.idle().collect();
        idle.into_iter().for_each(|worker| self.retire(now, worker, actions));
        let starting: Vec<WorkerId> = self.roster.iter().map(|(id, _)| id).filter(|id| self.is_starting(*id)).collect();
        starting.into_iter().for_each(|worker| self.kill(now, worker, KillCause::Superseded, actions));
        let is_empty = self.roster.counts().all() == 0;
        if let Some(drain) = self.drain.as_mut().filter(|drain| is_empty && !drain.done) {
            drain.done = true;
            actions.push(Action::Drained);
        }
    }

    /// Kills everything that still runs.
    pub(super) fn drain_timed_out(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let workers: Vec<WorkerId> = self.roster.iter().map(|(id, _)| id).collect();
        for id in workers {
            let call = self.call_in_hand(id);
            self.kill(now, id, KillCause::DrainTimeout, actions);
            actions.extend(call.map(|call| Action::Refuse(call, Refusal::DrainTimeout(id))));
        }
    }
}
