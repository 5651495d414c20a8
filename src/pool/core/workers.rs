//! Starts, replies and deaths of workers.

use std::time::Instant;

use super::{CHECK_LIMIT, Core, KillCause, PROGRESS_AGE, PROGRESS_CALLS, RETIRE_GRACE, State, Stop, StopCall};
use crate::call::{CallId, WorkerId};
use crate::pool::event::{Action, Purpose, Refusal, Run};
use crate::pool::queue::Line;
use crate::pool::timers::Timer;

impl Core {
    pub(super) fn worker_ready(&mut self, now: Instant, worker: WorkerId, actions: &mut Vec<Action>) {
        match self.roster.get_mut(worker) {
            Some(entry) if matches!(entry.state, State::Starting) => entry.ready = true,
            _ => return,
        }
        self.candidate_is_ready(now, worker, actions);
        self.hand_next_call(now, worker, actions);
    }

    pub(super) fn call_finished(&mut self, now: Instant, worker: WorkerId, call: CallId, actions: &mut Vec<Action>) {
        // A worker that is being stopped may still have written a reply, after its call has been answered.
        let Some(entry) = self.roster.get_mut(worker) else { return };
        if !matches!(&entry.state, State::Busy(busy) if busy.call == call) {
            return;
        }
        let lease = entry.lease;
        entry.calls += 1;
        self.is_alive(worker);
        self.running.remove(&call);
        self.totals.finished += 1;
        self.backoff.progressed();
        if self.begin_next(now, worker, actions) {
            return;
        }
        match lease {
            Some(lease) => self.hand_next_call_of(now, lease, worker, actions),
            None => self.hand_next_call(now, worker, actions),
        }
    }

    pub(super) fn worker_answered(&mut self, now: Instant, worker: WorkerId) {
        self.is_alive(worker);
        if self.roster.is_idle(worker) {
            self.set_idle_timer(now, worker);
        }
    }

    pub(super) fn worker_exited(&mut self, now: Instant, id: WorkerId, read: &[CallId], actions: &mut Vec<Action>) {
        let Some(worker) = self.roster.remove(id) else { return };
        self.stop_timers(id);
        let progressed =
            worker.calls >= PROGRESS_CALLS || now.saturating_duration_since(worker.started) >= PROGRESS_AGE;
        let failed = match worker.state {
            State::Starting => true,
            State::Stopping(stop) => stop == Stop::Killed(true),
            State::Idle | State::Leased | State::Busy(_) => !progressed,
        };
        // A failed reload is the error of its request; the existing workers have not failed.
        if !self.candidate_is_gone(id, actions) && failed {
            let until = self.backoff.failed(now);
            self.timers.set(Timer::BackOff, Some(until));
        }
        if worker.ready && !matches!(worker.state, State::Stopping(Stop::Retired | Stop::Terminated)) {
            self.totals.restarts += 1;
        }
        if let Some(lease) = worker.lease {
            self.close_lease(lease, actions);
        }
        self.affinity.forget(id);
        // Its own call is older than those that waited for it.
        if let State::Busy(busy) = worker.state {
            let undelivered = !read.contains(&busy.call);
            self.call_lost(now, busy, id, undelivered, actions);
        }
        self.lost_ahead(now, id, worker.ahead.calls, read, actions);
        self.unbind(now, id, actions);
    }

    pub(super) fn worker_timer_fell_due(&mut self, now: Instant, id: WorkerId, actions: &mut Vec<Action>) {
        match self.roster.state(id) {
            Some(State::Starting) => self.kill(now, id, KillCause::StartTimeout, actions),
            Some(State::Busy(_)) => self.ran_too_long(now, id, actions),
            Some(State::Idle) => self.idle_too_long(now, id, actions),
            Some(State::Stopping(stop)) => {
                let stop = *stop;
                self.ends_too_slowly(now, id, stop, actions);
            }
            Some(State::Leased) | None => {}
        }
    }

    /// With a grace, interrupts the call; without one, or after it, stops it.
    pub(super) fn ran_too_long(&mut self, now: Instant, id: WorkerId, actions: &mut Vec<Action>) {
        if !self.may_stop(now, id, StopCall::Late, actions) {
            return;
        }
        let Some(State::Busy(busy)) = self.roster.get_mut(id).map(|worker| &mut worker.state) else { return };
        let grace = match &busy.waiting.demand.purpose {
            Purpose::Run(Run { grace, .. }) if !busy.interrupted && !grace.is_zero() => Some(*grace),
            _ => None,
        };
        if let Some(grace) = grace {
            busy.interrupted = true;
            self.timers.set(Timer::Worker(id), now.checked_add(grace));
            actions.push(Action::InterruptWorker(id));
            return;
        }
        let (call, awaited) = (busy.call, busy.awaited);
        self.kill(now, id, KillCause::Timeout, actions);
        if awaited {
            actions.push(Action::Refuse(call, Refusal::Timeout(id)));
        }
    }

    fn idle_too_long(&mut self, now: Instant, id: WorkerId, actions: &mut Vec<Action>) {
        if self.overflow() > 0 {
            self.retire(now, id, actions);
        } else if self.settings.idle_check.is_some() && self.roster.ping(id) {
            self.timers.set(Timer::Check(id), now.checked_add(CHECK_LIMIT));
            actions.push(Action::PingWorker(id));
        }
    }

    /// A worker has shown that it is alive.
    fn is_alive(&mut self, id: WorkerId) {
        if self.roster.answered(id) {
            self.timers.set(Timer::Check(id), None);
        }
    }

    /// A worker has not answered. A call that it was given in the meantime and did not read goes to another worker after its death.
    pub(super) fn is_silent(&mut self, now: Instant, id: WorkerId, actions: &mut Vec<Action>) {
        match self.roster.get_mut(id) {
            Some(worker) if matches!(worker.state, State::Busy(_)) => {
                worker.exhausted = true;
                actions.push(Action::KillWorker(id, KillCause::Silent));
            }
            _ => self.kill(now, id, KillCause::Silent, actions),
        }
    }

    fn stop_timers(&mut self, id: WorkerId) {
        self.timers.set(Timer::Worker(id), None);
        self.timers.set(Timer::Check(id), None);
        self.timers.set(Timer::Age(id), None);
        self.timers.set(Timer::Behind(id), None);
    }

    fn ends_too_slowly(&mut self, now: Instant, id: WorkerId, stop: Stop, actions: &mut Vec<Action>) {
        match stop {
            Stop::Retired => {
                self.roster.set_state(id, State::Stopping(Stop::Terminated));
                self.timers.set(Timer::Worker(id), now.checked_add(RETIRE_GRACE));
                actions.push(Action::TerminateWorker(id));
            }
            Stop::Terminated | Stop::Killed(_) => actions.push(Action::KillWorker(id, KillCause::RetireTimeout)),
        }
    }

    /// Asks an idle worker to end.
    pub(super) fn retire(&mut self, now: Instant, id: WorkerId, actions: &mut Vec<Action>) {
        self.roster.set_state(id, State::Stopping(Stop::Retired));
        self.stop_timers(id);
        self.timers.set(Timer::Worker(id), now.checked_add(RETIRE_GRACE));
        actions.push(Action::RetireWorker(id));
        self.unbind(now, id, actions);
    }

    /// Kills a worker, which happens only here. The kill comes before anything the caller reports about its call.
    pub(super) fn kill(&mut self, now: Instant, id: WorkerId, cause: KillCause, actions: &mut Vec<Action>) {
        let is_candidate = self.is_candidate(id);
        let stop = Stop::Killed(cause == KillCause::StartTimeout && !is_candidate);
        if let Some(State::Busy(busy)) = self.roster.set_state(id, State::Stopping(stop)) {
            self.running.remove(&busy.call);
        }
        self.stop_timers(id);
        actions.push(Action::KillWorker(id, cause));
        if let Some(lease) = self.roster.get(id).and_then(|worker| worker.lease) {
            self.close_lease(lease, actions);
        }
        self.unbind(now, id, actions);
    }

    /// A worker takes no more calls: those that waited for it wait for another one, or end.
    fn unbind(&mut self, now: Instant, id: WorkerId, actions: &mut Vec<Action>) {
        self.affinity.forget(id);
        while let Some((call, waiting)) = self.queue.pop(Line::Worker(id)) {
            self.timers.set(Timer::Checkout(call), None);
            self.place_again(now, call, waiting, actions);
        }
    }

    pub(super) fn wait_idle(&mut self, now: Instant, worker: WorkerId) {
        self.roster.set_state(worker, State::Idle);
        self.set_idle_timer(now, worker);
    }

    pub(super) fn set_idle_timer(&mut self, now: Instant, worker: WorkerId) {
        let limit = if self.overflow() > 0 { Some(self.settings.overflow_ttl) } else { self.settings.idle_check };
        self.timers.set(Timer::Worker(worker), limit.and_then(|limit| now.checked_add(limit)));
    }

    /// Starts missing workers: always up to `size`; beyond it, for waiting calls that have no start under way for them;
    /// and one more while a worker is to be replaced.
    pub(super) fn start_workers(&mut self, now: Instant, actions: &mut Vec<Action>) {
        self.start_candidate(now, actions);
        while self.wants_worker() && self.backoff.allows_start(now) {
            self.start(now, self.generation, actions);
        }
    }

    fn wants_worker(&self) -> bool {
        let counts = self.roster.counts();
        // A worker that is to prove a new generation may fail, so the old generation keeps its strength next to it.
        let candidate = usize::from(self.has_candidate());
        let (useful, starting) = (counts.useful() - candidate, counts.starting - candidate);
        let missing = useful < self.settings.size;
        let overflow = self.queue.unbound() > starting;
        let successor = self.roster.replaceable() > 0 && useful <= self.settings.size && counts.starting == 0;
        let has_slot = counts.all() - candidate < self.slots();
        !self.is_draining()
            && starting < self.settings.max_starting
            && ((has_slot && (missing || overflow)) || (successor && counts.all() <= self.slots()))
    }

    /// Adds a worker and starts it.
    pub(super) fn start(&mut self, now: Instant, generation: u64, actions: &mut Vec<Action>) -> WorkerId {
        let calls = self.settings.max_calls.map(|most| self.jittered(most));
        let worker = self.roster.enter(now, generation, calls);
        self.timers.set(Timer::Worker(worker), now.checked_add(self.settings.start_timeout));
        if let Some(age) = self.settings.max_age {
            let age = age.mul_f64(1.0 - self.random.fraction() / 10.0);
            self.timers.set(Timer::Age(worker), now.checked_add(age));
        }
        actions.push(Action::StartWorker { worker, generation });
        worker
    }

    /// Reduces a limit by up to a tenth at random, so that workers started together do not leave together.
    fn jittered(&mut self, most: u64) -> u64 {
        if most <= 10 { most } else { most - ((most / 10) as f64 * self.random.fraction()) as u64 }
    }

    pub(super) fn slots(&self) -> usize {
        self.settings.size.saturating_add(self.settings.max_overflow)
    }

    /// The number of workers a waiting call may count on: a call that one of them will take does not count towards
    /// `max_queue`.
    pub(super) fn spare_capacity(&self) -> usize {
        let counts = self.roster.counts();
        counts.starting + self.slots().saturating_sub(counts.all())
    }
}
