//! Calls that are sent to a busy worker before it can run them, so that it goes from one to the next without waiting for
//! the server. docs/protocol.md 8.1
//!
//! Such a call still waits: it keeps its place in the limits and its checkout timer, and is taken back when another worker
//! can have it, or when its worker must not run it. What cannot be taken back has begun.

use std::time::{Duration, Instant};

use super::{Core, State};
use crate::call::{CallId, WorkerId};
use crate::pool::event::{Action, Placement, Refusal};
use crate::pool::queue::{Line, Waiting};
use crate::pool::roster::{Busy, Pipe, StopCall, Worker};
use crate::pool::timers::Timer;

/// The most calls to send ahead to one worker.
const MOST: usize = 15;
/// How long the calls in the hands of one worker may run together.
const WORK: Duration = Duration::from_micros(200);
/// A call as short as this goes behind another one instead of waking an idle worker, if enough workers are awake.
const QUICK: Duration = Duration::from_micros(50);
/// How long a call waits behind another one.
const PATIENCE: Duration = Duration::from_millis(1);
/// How many busy workers are compared.
const COMPARED: usize = 16;
/// How long the answers of calls before one that has begun may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(1);

/// What is known about the calls behind the one in hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Behind {
    /// There are none.
    None,
    /// They are being taken back.
    Leaving,
    /// The next one has begun, so the call in hand has been answered, and the answer will arrive.
    Begun,
}

impl Core {
    /// A busy worker for a call that need not wake an idle one.
    pub(super) fn instead_of_idle(&self, now: Instant, waiting: &Waiting) -> Option<WorkerId> {
        let awake = self.settings.prefetch?;
        let quick = waiting.demand.brief.is_some_and(|run| run < QUICK);
        let has_room = || self.queue.has_room(waiting.demand.bytes, self.spare_capacity());
        if !quick || self.roster.counts().busy < awake || !self.may_be_sent(now, waiting) || !has_room() {
            return None;
        }
        self.least_ahead(waiting).filter(|worker| self.queue.first_for(*worker).is_none())
    }

    /// Sends calls of the queue ahead that no idle worker takes.
    pub(super) fn send_ahead(&mut self, now: Instant, actions: &mut Vec<Action>) {
        if self.settings.prefetch.is_none() {
            return;
        }
        while let Some(waiting) = self.queue.first_unbound()
            && let Some(worker) = self.least_ahead(waiting)
            && self.send_first_ahead(now, worker, actions)
        {}
    }

    /// Sends ahead to a worker that has just begun a call what it may take.
    pub(super) fn refill(&mut self, now: Instant, worker: WorkerId, actions: &mut Vec<Action>) {
        if self.settings.prefetch.is_none() {
            return;
        }
        while self.send_first_ahead(now, worker, actions) {}
    }

    /// Sends the call ahead that is next for this worker; false if it must wait.
    fn send_first_ahead(&mut self, now: Instant, worker: WorkerId, actions: &mut Vec<Action>) -> bool {
        let first = self.queue.first_for(worker).filter(|(_, waiting)| self.may_be_sent(now, waiting));
        if first.and_then(|(_, waiting)| self.room_ahead(worker, waiting)).is_none() {
            return false;
        }
        let Some((call, waiting)) = self.queue.pop_for(worker) else { return false };
        self.put_ahead(now, worker, call, waiting, actions);
        true
    }

    /// Sends a call ahead. Its checkout timer goes on.
    pub(super) fn put_ahead(
        &mut self,
        now: Instant,
        worker: WorkerId,
        call: CallId,
        waiting: Waiting,
        actions: &mut Vec<Action>,
    ) {
        let Some(entry) = self.roster.get_mut(worker) else { return };
        if entry.ahead.calls.is_empty() {
            entry.ahead.moved = now;
            self.timers.set(Timer::Behind(worker), now.checked_add(PATIENCE));
        }
        entry.ahead.work += waiting.demand.brief.unwrap_or_default();
        entry.ahead.calls.push_back(call);
        self.timers.set(Timer::Checkout(call), waiting.expires);
        self.queue.insert(Line::Ahead(worker), call, waiting);
        actions.push(Action::Prefetch(worker, call));
    }

    /// Returns whether a call may be sent ahead.
    fn may_be_sent(&self, now: Instant, waiting: &Waiting) -> bool {
        waiting.demand.brief.is_some() && !waiting.has_expired(now) && !self.is_draining()
    }

    /// The busy worker with the fewest calls ahead among those that may take this one.
    fn least_ahead(&self, waiting: &Waiting) -> Option<WorkerId> {
        let busy = self.running.values().rev().take(COMPARED);
        let rooms = busy.filter_map(|worker| Some((self.room_ahead(*worker, waiting)?, *worker)));
        rooms.min().map(|(_, worker)| worker)
    }

    /// How many calls are ahead of this worker, if it may take another one.
    fn room_ahead(&self, id: WorkerId, waiting: &Waiting) -> Option<usize> {
        let worker = self.roster.get(id)?;
        let State::Busy(busy) = &worker.state else { return None };
        let ahead = worker.ahead.calls.len();
        let fits = match waiting.demand.placement {
            Placement::Any => true,
            Placement::Worker(wanted) => wanted == id,
            Placement::Key(key) => self.affinity.of(key) == Some(id),
            Placement::Lease(_) => false,
        };
        let stays = !worker.replaceable && !worker.exhausted && !worker.pinged && worker.lease.is_none();
        let has_calls = worker.calls_left.is_none_or(|left| ahead as u64 + 1 < left);
        let work = worker.ahead.work + busy.waiting.demand.brief? + waiting.demand.brief?;
        let is_open = worker.ahead.pipe == Pipe::Open && busy.stop.is_none() && !busy.interrupted;
        (fits && stays && has_calls && is_open && ahead < MOST && work <= WORK).then_some(ahead)
    }

    /// The worker has answered its call and had others ahead: it goes on with the first of them. Returns false if there
    /// is none.
    pub(super) fn begin_next(&mut self, now: Instant, worker: WorkerId, actions: &mut Vec<Action>) -> bool {
        let Some(entry) = self.roster.get_mut(worker) else { return false };
        let before = std::mem::replace(&mut entry.ahead.pipe, Pipe::Open);
        let Some(call) = entry.ahead.calls.pop_front() else { return false };
        entry.ahead.moved = now;
        if before == Pipe::Closed {
            self.timers.set(Timer::Behind(worker), now.checked_add(PATIENCE));
        }
        let Some(waiting) = self.queue.remove(call) else { return false };
        if let Some(entry) = self.roster.get_mut(worker) {
            entry.ahead.work = entry.ahead.work.saturating_sub(waiting.demand.brief.unwrap_or_default());
        }
        self.timers.set(Timer::Checkout(call), None);
        let cancelled = waiting.cancelled;
        self.serve(now, worker, call, waiting);
        actions.push(Action::Begin(worker, call));
        if cancelled {
            self.call_cancelled(now, call, actions);
        }
        self.refill(now, worker, actions);
        true
    }

    /// Takes back what was sent ahead to this worker, unless that has been done.
    pub(super) fn take_back(&mut self, worker: WorkerId, actions: &mut Vec<Action>) -> Behind {
        let Some(entry) = self.roster.get_mut(worker) else { return Behind::None };
        match entry.ahead.pipe {
            _ if entry.ahead.calls.is_empty() => Behind::None,
            Pipe::Open => {
                entry.ahead.pipe = Pipe::Asked;
                actions.push(Action::TakeBack(worker));
                Behind::Leaving
            }
            Pipe::Asked => Behind::Leaving,
            Pipe::Closed => Behind::Begun,
        }
    }

    /// Takes back what was sent ahead to workers that are about to leave.
    pub(super) fn take_back_from_leaving(&mut self, actions: &mut Vec<Action>) {
        if self.queue.ahead() == 0 || (self.roster.replaceable() == 0 && !self.is_draining()) {
            return;
        }
        let leaving = |worker: &Worker| worker.replaceable || worker.exhausted;
        let workers = self.roster.iter().filter(|(_, worker)| self.is_draining() || leaving(worker));
        let workers: Vec<WorkerId> = workers.map(|(id, _)| id).collect();
        for worker in workers {
            self.take_back(worker, actions);
        }
    }

    /// These calls have not begun: each goes elsewhere, or ends if that is what it was taken back for.
    pub(super) fn taken_back(&mut self, now: Instant, id: WorkerId, calls: &[CallId], actions: &mut Vec<Action>) {
        let Some(entry) = self.roster.get_mut(id).filter(|entry| entry.ahead.pipe == Pipe::Asked) else { return };
        entry.ahead.pipe = Pipe::Closed;
        entry.ahead.calls.retain(|call| !calls.contains(call));
        self.timers.set(Timer::Behind(id), None);
        let work = self.work_ahead(id);
        let passed_over = self.was_passed_over(id, calls);
        self.wait_again(now, id, calls.to_vec(), actions);
        let Some(entry) = self.roster.get_mut(id) else { return };
        entry.ahead.work = work;
        if passed_over {
            self.begin_next(now, id, actions);
            return;
        }
        let State::Busy(Busy { call, stop, .. }) = &mut entry.state else { return };
        let call = *call;
        match stop.take() {
            Some(StopCall::Late) => self.ran_too_long(now, id, actions),
            Some(StopCall::Cancelled) => self.running_call_cancelled(now, id, call, actions),
            None => {}
        }
    }

    /// Returns whether the call of a worker may be stopped now. Not while others may be taken back from behind it, and not
    /// if one of them has begun: then it has been answered in time.
    pub(super) fn may_stop(&mut self, now: Instant, id: WorkerId, why: StopCall, actions: &mut Vec<Action>) -> bool {
        let behind = self.take_back(id, actions);
        let Some(State::Busy(busy)) = self.roster.get_mut(id).map(|worker| &mut worker.state) else { return true };
        match behind {
            Behind::None => return true,
            Behind::Leaving => busy.stop = Some(why),
            // Once more the time is over: the answer should have arrived.
            Behind::Begun if busy.stop.is_some() => return why == StopCall::Late,
            Behind::Begun => {
                busy.stop = Some(why);
                self.timers.set(Timer::Worker(id), now.checked_add(ARRIVAL));
            }
        }
        false
    }

    /// The worker had not read the call in hand when we took it out, and read the next one before we could put it back. So
    /// it waits again, like those that were sent ahead.
    fn was_passed_over(&mut self, id: WorkerId, calls: &[CallId]) -> bool {
        let Some(entry) = self.roster.get_mut(id) else { return false };
        let State::Busy(busy) = &entry.state else { return false };
        if !calls.contains(&busy.call) {
            return false;
        }
        let (call, mut waiting) = (busy.call, busy.waiting.clone());
        waiting.cancelled = busy.stop == Some(StopCall::Cancelled);
        entry.calls_left = entry.calls_left.map(|left| left + 1);
        self.running.remove(&call);
        self.timers.set(Timer::Worker(id), None);
        self.queue.insert(Line::Ahead(id), call, waiting);
        true
    }

    fn work_ahead(&mut self, id: WorkerId) -> Duration {
        let calls = self.roster.get(id).map(|worker| worker.ahead.calls.clone()).unwrap_or_default();
        let runs = calls.iter().filter_map(|call| self.queue.get_ahead(id, *call)?.demand.brief);
        runs.sum()
    }

    /// Calls that were sent ahead have not begun: each waits again, in the order of arrival.
    fn wait_again(&mut self, now: Instant, worker: WorkerId, mut calls: Vec<CallId>, actions: &mut Vec<Action>) {
        calls.retain(|call| self.queue.ahead_of(*call) == Some(worker));
        calls.sort_unstable();
        let waiting: Vec<_> = calls.iter().filter_map(|call| Some((*call, self.queue.remove(*call)?))).collect();
        for (call, waiting) in waiting {
            self.timers.set(Timer::Checkout(call), None);
            if waiting.cancelled {
                actions.push(Action::Refuse(call, Refusal::CancelledWaiting));
            } else {
                self.place_again(now, call, waiting, actions);
            }
        }
    }

    /// The calls behind have waited long enough, unless the worker has gone on in the meantime.
    pub(super) fn behind_too_long(&mut self, now: Instant, id: WorkerId, actions: &mut Vec<Action>) {
        let Some(entry) = self.roster.get(id).filter(|entry| !entry.ahead.calls.is_empty()) else { return };
        match entry.ahead.moved.checked_add(PATIENCE).filter(|until| *until > now) {
            Some(until) => self.timers.set(Timer::Behind(id), Some(until)),
            None => drop(self.take_back(id, actions)),
        }
    }

    /// A call that was sent ahead is cancelled, or has waited too long.
    pub(super) fn give_up_ahead(&mut self, worker: WorkerId, call: CallId, cancelled: bool, actions: &mut Vec<Action>) {
        if let Some(waiting) = self.queue.get_ahead(worker, call) {
            waiting.cancelled |= cancelled;
        }
        self.take_back(worker, actions);
    }

    /// The worker is gone. Of the calls that were sent ahead to it, those that it had read may have begun; the others go
    /// elsewhere.
    pub(super) fn lost_ahead(
        &mut self,
        now: Instant,
        worker: WorkerId,
        calls: impl IntoIterator<Item = CallId>,
        read: &[CallId],
        actions: &mut Vec<Action>,
    ) {
        let (begun, others): (Vec<CallId>, Vec<CallId>) = calls.into_iter().partition(|call| read.contains(call));
        for call in begun {
            if self.queue.remove(call).is_some() {
                self.timers.set(Timer::Checkout(call), None);
                actions.push(Action::Refuse(call, Refusal::WorkerExit(worker)));
            }
        }
        self.wait_again(now, worker, others, actions);
    }
}
