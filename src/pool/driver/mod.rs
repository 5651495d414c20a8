//! Feeds the core with events and performs its actions (`actions`). Owns the workers and everything that waits or runs.

mod actions;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Sleep;
use tracing::{debug, warn};

use super::core::Core;
use super::event::{Action, Event, Settings};
use super::in_hand::{InHand, Job};
use super::outcome;
use super::pace::Pace;
use super::status::{LastExit, Sources, Status};
use super::stopping::{Stopping, Verdict};
use crate::allowance::{Allowance, Share};
use crate::call::{Call, CallId, Checkout, Failure, Outcome, Success, WorkerId};
use crate::config::Wait;
use crate::worker::{self, Ended, Handle, Installed, Launcher, Line, Lines, Replacement, Stacks};

/// Events of workers that the pool has not yet taken; beyond it, a worker's task waits.
const EVENTS: usize = 256;

/// How far ahead the alarm is set when the core has no timer.
const NO_TIMER: Duration = Duration::from_secs(3600);

/// Something that the pool has finished.
#[derive(Debug)]
pub enum Done {
    /// A call, a checkout or a reload, with the share of its outcome.
    Job(CallId, Outcome, Share),
    /// A lease.
    Lease(CallId),
    /// A line that a worker printed, for the owner.
    Line(Line),
    /// The pool itself: it was drained, and no worker is left.
    Drained,
}

/// A pool of Python workers. Dropping it kills all of them.
pub struct Pool {
    core: Core,
    settings: Settings,
    launcher: Arc<dyn Launcher>,
    max_frame: usize,
    allowance: Allowance,
    workers: BTreeMap<WorkerId, Handle>,
    in_hand: FxHashMap<CallId, InHand>,
    stopping: Stopping,
    done: VecDeque<Done>,
    events: mpsc::Receiver<(WorkerId, worker::Event)>,
    sender: mpsc::Sender<(WorkerId, worker::Event)>,
    lines: Lines,
    /// Requests for a flush.
    flushes: JoinSet<CallId>,
    /// Set for the next timer of the core or earlier; moved only when necessary.
    alarm: Pin<Box<Sleep>>,
    /// The list of actions, reused.
    actions: Vec<Action>,
    /// What was taken back from workers, to be told to the core.
    taken_back: Vec<(WorkerId, Vec<CallId>)>,
    /// Workers that were handed calls which have not been sent.
    unsent: Vec<WorkerId>,
    pace: Pace,
    last_start_error: Option<Failure>,
    /// Why the last reload failed; the serving workers are not affected.
    reload_error: Option<Failure>,
    last_exit: Option<LastExit>,
    /// Whether the version of an installed package was compared with ours.
    has_compared: bool,
}

impl Pool {
    /// A pool whose workers the launcher starts, at once and in the background. `lines` receives what they print, for
    /// the owner; their results take their share from the allowance.
    pub fn new(
        settings: Settings,
        launcher: Arc<dyn Launcher>,
        lines: Lines,
        max_frame: usize,
        allowance: Allowance,
    ) -> Self {
        let (sender, events) = mpsc::channel(EVENTS);
        let mut pool = Self {
            core: Core::new(settings.clone()),
            settings,
            launcher,
            max_frame,
            allowance,
            workers: BTreeMap::new(),
            in_hand: FxHashMap::default(),
            stopping: Stopping::default(),
            done: VecDeque::new(),
            events,
            sender,
            lines,
            flushes: JoinSet::new(),
            alarm: Box::pin(tokio::time::sleep(NO_TIMER)),
            actions: Vec::new(),
            taken_back: Vec::new(),
            unsent: Vec::new(),
            pace: Pace::default(),
            last_start_error: None,
            reload_error: None,
            last_exit: None,
            has_compared: false,
        };
        pool.step(Event::TimePassed, None);
        pool
    }

    /// Submits a call, with the lease in which it runs. It comes out of `take_done`, exactly once.
    pub fn submit(&mut self, id: CallId, call: Box<Call>, lease: Option<CallId>) {
        self.enter(id, Job::Call(call), lease);
    }

    /// Submits a checkout. It comes out of `take_done`, exactly once; if it was granted, so does its lease.
    pub fn check_out(&mut self, id: CallId, checkout: Checkout) {
        self.enter(id, Job::Checkout(checkout), None);
    }

    fn enter(&mut self, id: CallId, job: Job, lease: Option<CallId>) {
        let Some(demand) = job.demand(lease, &self.pace) else { return };
        self.in_hand.insert(id, InHand::new(job));
        self.step(Event::CallArrived(id, demand), None);
    }

    /// Ends a lease. Its worker serves others, or is retired if it is `broken`. Returns false if the lease had ended.
    pub fn check_in(&mut self, lease: CallId, broken: bool) -> bool {
        let is_leased = self.core.has_lease(lease);
        self.step(Event::CheckedIn { lease, broken }, None);
        is_leased
    }

    /// Cancels a call or a checkout, which ends with `cancelled` unless it has already ended, or ends a lease.
    pub fn cancel(&mut self, id: CallId) {
        self.step(Event::CallCancelled(id), None);
    }

    /// Changes the number of permanent workers.
    pub fn resize(&mut self, size: usize) {
        self.step(Event::Resized(size), None);
    }

    /// Replaces all workers with new ones, if those start. The answer comes out of `take_done`, exactly once.
    pub fn reload(&mut self, id: CallId) {
        self.in_hand.insert(id, InHand::new(Job::Reload));
        self.step(Event::ReloadAsked(id), None);
    }

    /// Accepts nothing more, and lets running calls finish within this time. The end comes out of `take_done`.
    pub fn drain(&mut self, limit: Option<Duration>) {
        self.step(Event::DrainAsked(limit), None);
    }

    /// Logs all lines printed so far. The reply comes out of `take_done` after them, exactly once.
    pub fn flush(&mut self, id: CallId) {
        let (to_read, all_read) = worker::to_read();
        self.workers.values().for_each(|handle| handle.flush(to_read.clone()));
        self.launcher.flush(to_read);
        self.flushes.spawn(async move {
            all_read.wait().await;
            id
        });
    }

    /// The next thing that has ended.
    pub fn take_done(&mut self) -> Option<Done> {
        self.done.pop_front()
    }

    /// Handles the next event, if there is one now.
    pub fn progress_now(&mut self) -> bool {
        let event = self.events.try_recv().ok();
        event.map(|(worker, event)| self.heard(worker, event)).is_some()
    }

    /// Sends the calls that workers were handed.
    pub fn send(&mut self) {
        let workers = &self.workers;
        self.unsent.drain(..).filter_map(|worker| workers.get(&worker)).for_each(Handle::send);
    }

    /// Waits for the next event and handles it.
    ///
    /// Cancellation: may be dropped at any await; nothing is left half done.
    pub async fn progress(&mut self) {
        tokio::select! {
            biased;
            Some((worker, event)) = self.events.recv() => self.heard(worker, event),
            Some(Ok(id)) = self.flushes.join_next(), if !self.flushes.is_empty() => {
                self.take_lines();
                self.end(id, Ok(Success::Flushed));
            }
            line = self.lines.next() => self.done.push_back(Done::Line(line)),
            () = self.alarm.as_mut() => self.step(Event::TimePassed, None),
        }
    }

    fn heard(&mut self, worker: WorkerId, event: worker::Event) {
        // What a worker printed before comes first.
        self.take_lines();
        self.worker_event(worker, event);
    }

    fn take_lines(&mut self) {
        while let Some(line) = self.lines.take() {
            self.done.push_back(Done::Line(line));
        }
    }

    /// Returns whether there is nothing more to wait for: the workers are ready, or they keep failing.
    pub fn has_started(&self, wait: Wait) -> bool {
        let wanted = match wait {
            Wait::None => 0,
            Wait::First => 1,
            Wait::All => self.core.size(),
        };
        self.core.counts().ready() >= wanted || self.core.is_crash_loop()
    }

    /// Returns whether the pool accepts nothing more.
    pub fn is_draining(&self) -> bool {
        self.core.is_draining()
    }

    /// The last failure, if workers keep failing and none is ready.
    pub fn crash_loop(&self) -> Option<Failure> {
        self.core.is_crash_loop().then(|| outcome::crash_loop(self.last_start_error.as_ref()))
    }

    /// The last failed start since a worker was last ready.
    pub fn start_error(&self) -> Option<&Failure> {
        self.last_start_error.as_ref()
    }

    /// That no worker was ready in time.
    pub fn slow_start(&self) -> Failure {
        outcome::of_slow_start(self.settings.start_timeout)
    }

    /// A snapshot of the pool.
    pub fn status(&self) -> Status {
        Status::of(&Sources {
            core: &self.core,
            workers: &self.workers,
            in_hand: &self.in_hand,
            max_overflow: self.settings.max_overflow,
            inflight_bytes: self.allowance.taken(),
            last_start_error: self.last_start_error.as_ref(),
            last_exit: self.last_exit.as_ref(),
        })
    }

    /// Returns whether a worker is running this call, or is being stopped because of it.
    pub fn runs(&self, call: CallId) -> bool {
        self.in_hand.get(&call).is_some_and(|in_hand| in_hand.started.is_some()) || self.stopping.holds(call)
    }

    /// Ends, in an orderly way, what was kept to start workers. Called after a drain.
    pub async fn end_launcher(&self) {
        self.launcher.close().await;
    }

    /// Kills all workers, and waits until they are reaped and their last lines are logged.
    pub async fn close(mut self) {
        self.workers.values().for_each(Handle::kill);
        while !self.workers.is_empty() {
            if let Some((worker, worker::Event::Ended(_))) = self.events.recv().await {
                self.workers.remove(&worker);
            }
        }
    }

    fn worker_event(&mut self, worker: WorkerId, event: worker::Event) {
        match event {
            worker::Event::Started(started) => {
                debug!(worker = worker.0, pid = started.pid, "ready");
                self.compare(&started.path);
                self.last_start_error = None;
                self.step(Event::WorkerReady(worker), None);
            }
            worker::Event::Replied(reply) => {
                let call = reply.call;
                self.worker_replied(worker, reply);
                self.step(Event::CallFinished(worker, call), None);
            }
            worker::Event::Pong => self.step(Event::WorkerAnswered(worker), None),
            worker::Event::Replace(Replacement { reason, at_once }) => {
                let event = if at_once { Event::WorkerSpoiled(worker) } else { Event::WorkerGrew(worker) };
                match at_once {
                    true => warn!(worker = worker.0, "the worker is replaced: {reason}"),
                    false => debug!(worker = worker.0, "the worker is replaced: {reason}"),
                }
                self.step(event, None);
            }
            worker::Event::Stopped(stacks) => self.worker_stopped(worker, &stacks),
            worker::Event::Ended(ended) => self.worker_ended(worker, &ended),
        }
    }

    /// Warns, once, that another version of the Python package is installed.
    fn compare(&mut self, path: &[String]) {
        if self.has_compared {
            return;
        }
        self.has_compared = true;
        if let Some(Installed { version, entry }) = worker::other_version(path) {
            let ours = env!("CARGO_PKG_VERSION");
            warn!(
                "the Python package portpool {version} is installed in {entry}, but this program has version {ours}: workers use \
                 the package of the program. Install the same version of both"
            );
        }
    }

    fn worker_replied(&mut self, worker: WorkerId, reply: worker::Reply) {
        // A worker that was stopped, or whose call nobody waits for, may still have answered.
        if self.core.call_in_hand(worker) != Some(reply.call) {
            return;
        }
        let Some(in_hand) = self.in_hand.remove(&reply.call) else { return };
        let pid = self.workers.get(&worker).and_then(Handle::pid).unwrap_or_default();
        let worker::Reply { call, kind, run, body, share } = reply;
        if let Job::Call(job) = &in_hand.job {
            self.pace.ran(&job.mfa, run);
        }
        let outcome = outcome::of_answer(&in_hand, kind, body, worker, pid);
        self.done.push_back(Done::Job(call, outcome, share));
    }

    /// A worker whose time was over is dead: now the failure can be reported, with where Python was.
    fn worker_stopped(&mut self, worker: WorkerId, stacks: &Stacks) {
        match self.stopping.take_verdict(worker) {
            Some(Verdict::Call(Some((call, failure)))) => {
                self.end(call, Err(outcome::with_stacks(failure, stacks)));
            }
            Some(Verdict::Start(failure)) => self.start_failed(worker, outcome::with_stacks(failure, stacks)),
            Some(Verdict::Call(None)) | None => {}
        }
    }

    fn start_failed(&mut self, worker: WorkerId, failure: Failure) {
        let known = if self.core.is_candidate(worker) { &mut self.reload_error } else { &mut self.last_start_error };
        // One line for the same repeated failure.
        if known.as_ref().is_some_and(|last| last.message == failure.message) {
            debug!(worker = worker.0, "{}", failure.message);
        } else {
            warn!(worker = worker.0, "{}", failure.message);
        }
        *known = Some(failure);
    }

    fn worker_ended(&mut self, worker: WorkerId, ended: &Ended) {
        self.workers.remove(&worker);
        self.worker_stopped(worker, &Stacks::None);
        let killed = self.stopping.ended(worker);
        if self.core.is_starting(worker) {
            self.start_failed(worker, outcome::of_start(ended));
        } else if !self.core.is_retiring(worker) {
            let how = match killed {
                Some(cause) => format!("killed: {}", outcome::why_killed(cause)),
                None => outcome::how_it_ended(ended),
            };
            self.last_exit = Some(LastExit { worker, pid: ended.pid, how });
        }
        for call in &ended.read {
            if let Some(in_hand) = self.in_hand.get_mut(call) {
                in_hand.began = true;
            }
        }
        let call = self.core.runs(worker);
        self.step(Event::WorkerExited { worker, read: ended.read.clone() }, Some(ended));
        // It waits again, unless another worker took it at once.
        if let Some(in_hand) =
            call.filter(|call| !self.core.is_running(*call)).and_then(|call| self.in_hand.get_mut(&call))
        {
            in_hand.started = None;
        }
    }

    /// Tells the core what happened and performs its actions.
    fn step(&mut self, event: Event, ended: Option<&Ended>) {
        let now = Instant::now();
        let mut actions = std::mem::take(&mut self.actions);
        self.core.handle(now, event, &mut actions);
        for action in actions.drain(..) {
            self.perform(now, action, ended);
        }
        self.actions = actions;
        while let Some((worker, calls)) = self.taken_back.pop() {
            for call in &calls {
                if let Some(in_hand) = self.in_hand.get_mut(call) {
                    in_hand.started = None;
                }
            }
            self.step(Event::TakenBack { worker, calls }, None);
        }
        self.set_alarm();
    }

    fn set_alarm(&mut self) {
        let next = self.core.next_timer().unwrap_or_else(|| Instant::now() + NO_TIMER).into();
        if next < self.alarm.deadline() || self.alarm.is_elapsed() {
            self.alarm.as_mut().reset(next);
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("core", &self.core).finish_non_exhaustive()
    }
}
