//! The path of a call through the queue to a worker, or to its end without a result.

use std::time::Instant;

use super::{Busy, Core, DELIVERIES, KillCause, State, StopCall};
use crate::call::{CallId, OnCancel, WorkerId};
use crate::pool::backoff::pause_after;
use crate::pool::event::{Action, Placement, Purpose, Refusal, Run};
use crate::pool::queue::{Line, Waiting, earliest};
use crate::pool::timers::Timer;

/// What the pool can offer a call at the moment.
enum Place {
    /// This worker.
    Now(WorkerId),
    /// A place behind the call of this worker.
    Ahead(WorkerId),
    /// A place in this line.
    Line(Line),
    /// Nothing.
    Never(Refusal),
}

impl Core {
    pub(super) fn call_arrived(&mut self, now: Instant, call: CallId, waiting: Waiting, actions: &mut Vec<Action>) {
        match self.place_for(now, &waiting) {
            Place::Never(refusal) => actions.push(Action::Refuse(call, refusal)),
            _ if waiting.is_overdue(now) => actions.push(Action::Refuse(call, Refusal::CheckoutTimeout)),
            Place::Now(worker) => self.hand_over(now, worker, call, waiting, actions),
            Place::Ahead(worker) => self.put_ahead(now, worker, call, waiting, actions),
            Place::Line(line) if line == Line::Any && self.is_crash_loop() => {
                actions.push(Action::Refuse(call, Refusal::CrashLoop));
            }
            Place::Line(_) if waiting.has_expired(now) => actions.push(Action::Refuse(call, Refusal::CheckoutTimeout)),
            Place::Line(_) if !self.queue.has_room(waiting.demand.bytes, self.spare_capacity()) => {
                self.totals.refused += 1;
                actions.push(Action::Refuse(call, Refusal::QueueFull));
            }
            Place::Line(line) => {
                self.enqueue(line, call, waiting);
                if let Line::Worker(worker) = line {
                    self.refill(now, worker, actions);
                }
            }
        }
    }

    /// Finds a worker for a call that had been admitted before. It always finds room in the queue.
    pub(super) fn place_again(&mut self, now: Instant, call: CallId, waiting: Waiting, actions: &mut Vec<Action>) {
        match self.place_for(now, &waiting) {
            Place::Never(refusal) => actions.push(Action::Refuse(call, refusal)),
            Place::Now(worker) if !waiting.is_overdue(now) => self.hand_over(now, worker, call, waiting, actions),
            Place::Ahead(worker) => self.put_ahead(now, worker, call, waiting, actions),
            Place::Line(line) if !waiting.has_expired(now) => self.enqueue(line, call, waiting),
            _ => actions.push(Action::Refuse(call, Refusal::CheckoutTimeout)),
        }
    }

    fn place_for(&mut self, now: Instant, waiting: &Waiting) -> Place {
        let demand = &waiting.demand;
        if self.is_draining() {
            return Place::Never(Refusal::Draining);
        }
        if let Some(refusal) = self.quarantined(now, waiting) {
            return Place::Never(refusal);
        }
        match demand.placement {
            Placement::Any => match self.instead_of_idle(now, waiting) {
                Some(worker) => Place::Ahead(worker),
                None => self.any_worker(),
            },
            Placement::Key(key) => match self.affinity.of(key) {
                Some(home) => self.this_worker(home),
                None => self.any_worker(),
            },
            Placement::Worker(worker) if self.roster.is_useful(worker) => self.this_worker(worker),
            Placement::Worker(worker) => Place::Never(Refusal::WorkerGone(worker)),
            Placement::Lease(lease) => match self.leases.get(&lease) {
                Some(worker) if matches!(self.roster.state(*worker), Some(State::Leased)) => Place::Now(*worker),
                Some(_) => Place::Line(Line::Lease(lease)),
                None => Place::Never(Refusal::LeaseLost),
            },
        }
    }

    /// Why a call must not run: it has killed too many workers, perhaps while it waited.
    fn quarantined(&mut self, now: Instant, waiting: &Waiting) -> Option<Refusal> {
        let Purpose::Run(Run { fingerprint, .. }) = waiting.demand.purpose else { return None };
        self.quarantine.refuses(now, fingerprint).map(|(kills, rest)| Refusal::Quarantined { kills, rest })
    }

    /// Why a call that has waited must not be handed to the worker that is now free for it.
    pub(super) fn must_not_run(&mut self, now: Instant, waiting: &Waiting) -> Option<Refusal> {
        if waiting.has_expired(now) { Some(Refusal::CheckoutTimeout) } else { self.quarantined(now, waiting) }
    }

    fn any_worker(&self) -> Place {
        self.roster.next_idle().map_or(Place::Line(Line::Any), Place::Now)
    }

    fn this_worker(&self, worker: WorkerId) -> Place {
        if self.roster.is_idle(worker) { Place::Now(worker) } else { Place::Line(Line::Worker(worker)) }
    }

    fn enqueue(&mut self, line: Line, call: CallId, waiting: Waiting) {
        self.timers.set(Timer::Checkout(call), waiting.expires);
        self.queue.insert(line, call, waiting);
    }

    /// A worker is free: it takes the call that has waited longest among those it can take, or leaves, or waits.
    pub(super) fn hand_next_call(&mut self, now: Instant, worker: WorkerId, actions: &mut Vec<Action>) {
        if self.must_retire(worker) {
            return self.retire(now, worker, actions);
        }
        while let Some((call, waiting)) = self.queue.pop_for(worker) {
            self.timers.set(Timer::Checkout(call), None);
            if let Some(refusal) = self.must_not_run(now, &waiting) {
                actions.push(Action::Refuse(call, refusal));
                continue;
            }
            match self.elsewhere(worker, &waiting) {
                Some(home) => self.enqueue(Line::Worker(home), call, waiting),
                None => return self.hand_over(now, worker, call, waiting, actions),
            }
        }
        self.wait_idle(now, worker);
    }

    /// The worker that a call wants by now, if it is another one, which got the call's key while the call waited.
    fn elsewhere(&self, worker: WorkerId, waiting: &Waiting) -> Option<WorkerId> {
        let Placement::Key(key) = waiting.demand.placement else { return None };
        self.affinity.of(key).filter(|home| *home != worker)
    }

    /// Hands a job to a worker that is idle, or leased by the call's lease.
    pub(super) fn hand_over(
        &mut self,
        now: Instant,
        worker: WorkerId,
        call: CallId,
        waiting: Waiting,
        actions: &mut Vec<Action>,
    ) {
        if let Placement::Key(key) = waiting.demand.placement {
            self.affinity.assign(key, worker);
        }
        match &waiting.demand.purpose {
            Purpose::Lease(limit) => self.grant(now, worker, call, *limit, actions),
            Purpose::Run(_) => {
                self.serve(now, worker, call, waiting);
                actions.push(Action::Dispatch(worker, call));
                self.refill(now, worker, actions);
            }
        }
    }

    /// This is the call of the worker now: its time begins.
    pub(super) fn serve(&mut self, now: Instant, worker: WorkerId, call: CallId, waiting: Waiting) {
        let expires = waiting.demand.timeout().and_then(|limit| now.checked_add(limit));
        self.timers.set(Timer::Worker(worker), earliest(expires, waiting.deadline));
        self.count_call(worker);
        let busy = Busy { call, waiting, awaited: true, interrupted: false, stop: None };
        self.roster.set_state(worker, State::Busy(busy));
        self.running.insert(call, worker);
    }

    /// A call has waited as long as it may.
    pub(super) fn waited_too_long(&mut self, call: CallId, actions: &mut Vec<Action>) {
        if let Some(worker) = self.queue.ahead_of(call) {
            self.give_up_ahead(worker, call, false, actions);
        } else if self.queue.remove(call).is_some() {
            actions.push(Action::Refuse(call, Refusal::CheckoutTimeout));
        }
    }

    pub(super) fn call_cancelled(&mut self, now: Instant, call: CallId, actions: &mut Vec<Action>) {
        if let Some(worker) = self.queue.ahead_of(call) {
            self.give_up_ahead(worker, call, true, actions);
        } else if self.queue.remove(call).is_some() || self.retrying.remove(&call).is_some() {
            self.timers.set(Timer::Checkout(call), None);
            self.timers.set(Timer::Retry(call), None);
            actions.push(Action::Refuse(call, Refusal::CancelledWaiting));
        } else if let Some(worker) = self.running.get(&call).copied() {
            self.running_call_cancelled(now, worker, call, actions);
        } else {
            self.end_lease(now, call, Refusal::CancelledRunning, actions);
        }
    }

    pub(super) fn running_call_cancelled(
        &mut self,
        now: Instant,
        worker: WorkerId,
        call: CallId,
        actions: &mut Vec<Action>,
    ) {
        let finishes = match self.roster.get_mut(worker).map(|worker| &mut worker.state) {
            Some(State::Busy(Busy { waiting, awaited, .. })) => match &waiting.demand.purpose {
                Purpose::Run(Run { on_cancel: OnCancel::Finish, .. }) => {
                    *awaited = false;
                    true
                }
                _ => false,
            },
            _ => false,
        };
        if finishes {
            self.running.remove(&call);
        } else if self.may_stop(now, worker, StopCall::Cancelled, actions) {
            self.kill(now, worker, KillCause::Cancelled, actions);
        } else {
            return;
        }
        actions.push(Action::Refuse(call, Refusal::CancelledRunning(worker)));
    }

    /// Its worker died. A call that had not begun goes to another worker, and one that may be run again rests first;
    /// for others this is the end.
    pub(super) fn call_lost(
        &mut self,
        now: Instant,
        busy: Busy,
        worker: WorkerId,
        undelivered: bool,
        actions: &mut Vec<Action>,
    ) {
        let Busy { call, mut waiting, awaited, .. } = busy;
        self.running.remove(&call);
        waiting.undelivered += u8::from(undelivered);
        if undelivered && waiting.undelivered < DELIVERIES {
            if awaited {
                self.place_again(now, call, waiting, actions);
            }
            return;
        }
        let Purpose::Run(run) = &waiting.demand.purpose else { return };
        let (retry, fingerprint) = (run.retry, run.fingerprint);
        if let Some(fingerprint) = fingerprint.filter(|_| !undelivered) {
            self.quarantine.killed(now, fingerprint);
        }
        let end = match undelivered {
            true => Refusal::Undelivered { worker, workers: waiting.undelivered },
            false => Refusal::WorkerExit(worker),
        };
        // A caller that wanted this very worker, for what it has done to it, is not served by another one.
        let by_any = matches!(waiting.demand.placement, Placement::Any | Placement::Key(_));
        let again = by_any && retry > waiting.killed && self.quarantine.refuses(now, fingerprint).is_none();
        if awaited && !(again && self.retry_later(now, call, waiting)) {
            actions.push(Action::Refuse(call, end));
        }
    }

    /// Lets a call rest before it is run again; returns false if there is no time for that.
    fn retry_later(&mut self, now: Instant, call: CallId, mut waiting: Waiting) -> bool {
        let pause = pause_after(u32::from(waiting.killed)).mul_f64(self.random.fraction());
        let until = now + pause;
        let in_time = !self.is_draining() && waiting.deadline.is_none_or(|deadline| until < deadline);
        if in_time {
            waiting.killed += 1;
            self.timers.set(Timer::Retry(call), Some(until));
            self.retrying.insert(call, waiting);
        }
        in_time
    }

    pub(super) fn retry_due(&mut self, now: Instant, call: CallId, actions: &mut Vec<Action>) {
        if let Some(mut waiting) = self.retrying.remove(&call) {
            waiting.wait_from(now);
            self.place_again(now, call, waiting, actions);
        }
    }
}
