//! Leases: a worker that one caller holds for several calls. docs/protocol.md 4.5 to 4.7.

use std::time::{Duration, Instant};

use super::{Core, KillCause, State};
use crate::call::{CallId, WorkerId};
use crate::pool::event::{Action, Refusal};
use crate::pool::queue::Line;
use crate::pool::timers::Timer;

impl Core {
    /// Gives a checkout its worker.
    pub(super) fn grant(
        &mut self,
        now: Instant,
        worker: WorkerId,
        lease: CallId,
        limit: Option<Duration>,
        actions: &mut Vec<Action>,
    ) {
        self.timers.set(Timer::Worker(worker), None);
        self.timers.set(Timer::Lease(lease), limit.and_then(|limit| now.checked_add(limit)));
        self.roster.set_state(worker, State::Leased);
        if let Some(worker) = self.roster.get_mut(worker) {
            worker.lease = Some(lease);
        }
        self.leases.insert(lease, worker);
        actions.push(Action::Grant(worker, lease));
    }

    /// A leased worker has finished its call: hands it the lease's next one, if any.
    pub(super) fn hand_next_call_of(
        &mut self,
        now: Instant,
        lease: CallId,
        worker: WorkerId,
        actions: &mut Vec<Action>,
    ) {
        self.roster.set_state(worker, State::Leased);
        self.timers.set(Timer::Worker(worker), None);
        while let Some((call, waiting)) = self.queue.pop(Line::Lease(lease)) {
            self.timers.set(Timer::Checkout(call), None);
            match self.must_not_run(now, &waiting) {
                Some(refusal) => actions.push(Action::Refuse(call, refusal)),
                None => return self.hand_over(now, worker, call, waiting, actions),
            }
        }
    }

    /// The holder returned the worker. A call that still runs continues as an ordinary call.
    pub(super) fn checked_in(&mut self, now: Instant, lease: CallId, broken: bool, actions: &mut Vec<Action>) {
        let Some(worker) = self.close_lease(lease, actions) else { return };
        if let Some(worker) = self.roster.get_mut(worker) {
            worker.exhausted |= broken;
        }
        if matches!(self.roster.state(worker), Some(State::Leased)) {
            self.hand_next_call(now, worker, actions);
        }
    }

    /// The holder is gone, or held its worker too long: the state of the worker is unknown.
    pub(super) fn end_lease(
        &mut self,
        now: Instant,
        lease: CallId,
        refusal: fn(WorkerId) -> Refusal,
        actions: &mut Vec<Action>,
    ) {
        let Some(worker) = self.close_lease(lease, actions) else { return };
        let Some(call) = self.call_in_hand(worker) else {
            if self.runs(worker).is_some() {
                return self.kill(now, worker, KillCause::LeaseEnded, actions);
            }
            return self.retire(now, worker, actions);
        };
        self.kill(now, worker, KillCause::LeaseEnded, actions);
        actions.push(Action::Refuse(call, refusal(worker)));
    }

    /// Removes a lease and refuses the calls that wait in it. The worker is not changed.
    pub(super) fn close_lease(&mut self, lease: CallId, actions: &mut Vec<Action>) -> Option<WorkerId> {
        let worker = self.leases.remove(&lease)?;
        self.timers.set(Timer::Lease(lease), None);
        if let Some(worker) = self.roster.get_mut(worker) {
            worker.lease = None;
        }
        while let Some((call, _)) = self.queue.pop(Line::Lease(lease)) {
            self.timers.set(Timer::Checkout(call), None);
            actions.push(Action::Refuse(call, Refusal::LeaseLost));
        }
        actions.push(Action::LeaseEnded(lease));
        Some(worker)
    }
}
