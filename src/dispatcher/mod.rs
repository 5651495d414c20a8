//! Takes requests, feeds the pool, replies. Owns the obligation to reply to each request.
//!
//! - `words`: requests and replies; `obligation`: the duty to reply to one request
//! - `in_flight`: the table of requests; `decoding`: large calls on their way to it; `greeting`: when the first packet is due

mod decoding;
mod greeting;
mod in_flight;
mod obligation;
mod words;

use std::collections::HashSet;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tracing::warn;

use crate::allowance::Share;
use crate::busy_poll::{self, BusyPoll};
use crate::call::{Blame, Call, CallId, Failure, Outcome, Phase, Reason, Success, Target};
use crate::config::{OnCrashLoop, OnStartFailure, Wait};
use crate::outbox::Outbox;
use crate::pool::{Done, Pool};
use decoding::Decoding;
use greeting::{Greeting, Verdict};
use in_flight::InFlight;
use obligation::PendingReply;
pub use words::{Answer, PortId, Reply, Request};

/// How long to wait at the end for killed workers to be reaped. Only the kernel can make that long.
const WORKERS_END: Duration = Duration::from_millis(500);

/// How many events and requests are handled before calls are sent to workers.
const TURN: usize = 64;

/// Why the dispatcher ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// No more requests can arrive.
    Closed,
    /// The pool was drained, as requested.
    Drained,
    /// A worker failed to start, and the owner wants to know before anything else.
    StartFailed,
    /// Workers keep failing, and the owner wants to know.
    CrashLoop,
}

/// What the dispatcher does next.
enum Next {
    Request(Request),
    Decoded(CallId, Result<Call, Failure>),
    /// Nothing, or it is done.
    Other,
    /// No more requests can arrive.
    Closed,
}

/// How the dispatcher works.
#[derive(Clone, Copy, Debug)]
pub struct DispatcherOptions {
    /// Which workers must be ready before it sends `Ready`.
    pub wait: Wait,
    /// When it sends `Ready` in any case.
    pub latest: Instant,
    /// What it does if a worker fails to start before it has sent `Ready`.
    pub on_start_failure: OnStartFailure,
    /// What it does when workers keep failing.
    pub on_crash_loop: OnCrashLoop,
    /// How many bytes of calls helper threads may decode at once.
    pub max_decoding_bytes: usize,
    /// How long it polls after an event while a request is in flight.
    pub busy_poll: Duration,
}

/// Takes requests, feeds the pool, replies.
#[derive(Debug)]
pub struct Dispatcher {
    pool: Pool,
    in_flight: InFlight,
    decoding: Decoding,
    options: DispatcherOptions,
    /// The requests that wait for the pool to be drained.
    drains: Vec<CallId>,
    drained: bool,
    /// Why the session fails.
    failure: Option<Failure>,
    /// Each entry is the reply to one request, or a log line.
    replies: Outbox<Reply>,
}

impl Dispatcher {
    /// A dispatcher for this pool, which sends to `replies`.
    pub fn new(pool: Pool, replies: Outbox<Reply>, options: DispatcherOptions) -> Self {
        Self {
            pool,
            in_flight: InFlight::new(),
            decoding: Decoding::new(options.max_decoding_bytes),
            options,
            drains: Vec::new(),
            drained: false,
            failure: None,
            replies,
        }
    }

    /// Runs until no more requests can arrive, the pool is drained, or workers keep failing and that ends the server.
    /// Then refuses everything in flight and kills all workers.
    pub async fn run(mut self, mut requests: mpsc::Receiver<Request>) -> End {
        let DispatcherOptions { wait, on_start_failure, latest, .. } = self.options;
        let mut greeting = Some(Greeting::new(wait, on_start_failure, latest));
        let mut busy = BusyPoll::new(self.options.busy_poll);
        let end = loop {
            match greeting.as_mut().map_or(Verdict::Wait, |greeting| greeting.due(Instant::now(), &self.pool)) {
                Verdict::Wait => {}
                Verdict::Ready => {
                    greeting = None;
                    self.say(Reply::Ready(self.pool.status()));
                }
                Verdict::Failed(failure) => {
                    self.failure = Some(failure);
                    break End::StartFailed;
                }
            }
            let next = tokio::select! {
                biased;
                next = self.next(&mut requests, greeting.as_ref()) => next,
                () = busy_poll::yield_to_others(), if busy.is_on() => {
                    busy.no_event(std::time::Instant::now());
                    continue;
                }
            };
            match next {
                Next::Request(request) => self.take(request),
                Next::Decoded(number, result) => self.decoded(number, result),
                Next::Other => {}
                Next::Closed => break End::Closed,
            }
            self.drain_ready(&mut requests);
            self.answer_done();
            if self.in_flight.is_empty() {
                busy.rest()
            } else {
                busy.event(std::time::Instant::now())
            }
            if self.drained {
                break End::Drained;
            }
            if self.options.on_crash_loop == OnCrashLoop::Exit
                && let Some(failure) = self.pool.crash_loop()
            {
                self.failure = Some(failure);
                break End::CrashLoop;
            }
        };
        self.end(end).await;
        end
    }

    /// Waits for the next thing to do; what the pool has to do is done then. None of them waits for ever behind the others.
    ///
    /// Cancellation: may be dropped at any await.
    async fn next(&mut self, requests: &mut mpsc::Receiver<Request>, greeting: Option<&Greeting>) -> Next {
        tokio::select! {
            request = requests.recv() => request.map_or(Next::Closed, Next::Request),
            () = self.pool.progress() => Next::Other,
            Some((number, result)) = self.decoding.next(), if !self.decoding.is_empty() => Next::Decoded(number, result),
            () = Greeting::next(greeting), if greeting.is_some() => Next::Other,
        }
    }

    /// Handles everything else that is there, and only then sends calls to workers: a worker that is woken runs at once, and
    /// takes the processor from what is left to do.
    fn drain_ready(&mut self, requests: &mut mpsc::Receiver<Request>) {
        for _ in 0..TURN {
            let is_done = !self.pool.progress_now();
            match requests.try_recv() {
                Ok(request) => self.take(request),
                Err(_) if is_done => break,
                Err(_) => {}
            }
        }
        self.pool.send();
    }

    fn take(&mut self, request: Request) {
        match request {
            Request::Call(id, call) => self.call(id, call),
            Request::LargeCall { id, bytes, decoding } => self.large_call(id, bytes, decoding),
            Request::Checkout(id, checkout) => {
                if let Some(number) = self.enter(id) {
                    self.pool.check_out(number, checkout);
                }
            }
            Request::Checkin { id, lease, broken } => self.check_in(id, lease, broken),
            Request::Cancel(id) => self.cancel(id),
            Request::Resize(id, size) => {
                if self.is_free(id) {
                    self.pool.resize(size);
                    self.pending(id).answer(Answer::Resized, Share::none());
                }
            }
            Request::Reload(id) => {
                if let Some(number) = self.enter(id) {
                    self.pool.reload(number);
                }
            }
            Request::Drain(id, limit) => {
                if let Some(number) = self.enter(id) {
                    self.drains.push(number);
                    self.pool.drain(limit);
                }
            }
            Request::Flush(id) => {
                if let Some(number) = self.enter(id) {
                    self.pool.flush(number);
                }
            }
            Request::Stop(limit) => self.pool.drain(limit),
            Request::Status(id) => {
                let status = self.pool.status();
                self.answer_at_once(id, Answer::Status(Box::new(status)));
            }
            Request::Ping(id) => self.answer_at_once(id, Answer::Pong),
            Request::Refuse(id, failure) => self.answer_at_once(id, Answer::Failure(failure)),
            Request::Error(failure) => self.say(Reply::Error(failure)),
        }
    }

    fn call(&mut self, id: PortId, call: Box<Call>) {
        if let Some(number) = self.enter(id) {
            self.submit(number, call);
        }
    }

    fn submit(&mut self, number: CallId, mut call: Box<Call>) {
        let Target::Lease(lease) = call.target else { return self.pool.submit(number, call, None) };
        match self.in_flight.lease(lease) {
            Some(lease) => self.pool.submit(number, call, Some(lease)),
            // A drain ends the leases, so the reply says that the pool is draining.
            None if self.pool.is_draining() => {
                call.target = Target::Any;
                self.pool.submit(number, call, None);
            }
            None => {
                let message = format!("lease {lease} does not exist or has ended: {} did not run", call.mfa);
                self.refuse(number, Failure::new(Reason::LeaseLost, Phase::Checkout, Blame::Caller, message));
            }
        }
    }

    fn check_in(&mut self, id: PortId, lease: PortId, broken: bool) {
        if !self.is_free(id) {
            return;
        }
        let ended = self.in_flight.lease(lease).is_some_and(|number| self.pool.check_in(number, broken));
        self.pending(id).answer(Answer::CheckedIn(ended), Share::none());
    }

    fn large_call(&mut self, id: PortId, bytes: usize, decoding: JoinHandle<Result<Call, Failure>>) {
        let Some(number) = self.enter(id) else { return decoding.abort() };
        if let Err(failure) = self.decoding.enter(number, bytes, decoding) {
            self.refuse(number, failure);
        }
    }

    fn decoded(&mut self, number: CallId, result: Result<Call, Failure>) {
        // It may have been cancelled in the meantime.
        if !self.in_flight.contains(number) {
            return;
        }
        match result {
            Ok(call) => self.submit(number, Box::new(call.waited())),
            Err(failure) => self.refuse(number, failure),
        }
    }

    /// Gives a request its number and takes on the obligation to reply; `None` if its id is in flight.
    fn enter(&mut self, id: PortId) -> Option<CallId> {
        self.is_free(id).then(|| {
            let pending = self.pending(id);
            self.in_flight.enter(pending)
        })
    }

    /// A reply to an id in flight would be taken for the reply to its call: docs/protocol.md 3.3.
    fn is_free(&self, id: PortId) -> bool {
        let is_free = self.in_flight.is_free(id);
        if !is_free {
            let message = format!("the id {id} is in use by a call or a lease: this request was discarded");
            self.say(Reply::Error(Failure::bad_request(message).with("id", id)));
        }
        is_free
    }

    fn answer_at_once(&self, id: PortId, answer: Answer) {
        if self.is_free(id) {
            self.pending(id).answer(answer, Share::none());
        }
    }

    fn say(&self, reply: Reply) {
        self.replies.put(reply);
    }

    fn cancel(&mut self, id: PortId) {
        let Some(number) = self.in_flight.number(id) else { return };
        if self.decoding.cancel(number) {
            let message = "the call was cancelled before it was read";
            self.refuse(number, Failure::new(Reason::Cancelled, Phase::Checkout, Blame::Caller, message));
        } else {
            self.pool.cancel(number);
        }
    }

    fn pending(&self, id: PortId) -> PendingReply {
        PendingReply::new(id, self.replies.clone())
    }

    fn answer_done(&mut self) {
        while let Some(done) = self.pool.take_done() {
            match done {
                Done::Job(number, outcome, share) => self.answer(number, outcome, share),
                Done::Lease(number) => self.in_flight.end_lease(number),
                Done::Line(line) => self.say(Reply::Line(line)),
                Done::Drained => self.drained = true,
            }
        }
    }

    fn refuse(&mut self, number: CallId, failure: Failure) {
        self.answer(number, Err(failure), Share::none());
    }

    /// Consumes the obligation.
    fn answer(&mut self, number: CallId, outcome: Outcome, share: Share) {
        let pending = match &outcome {
            Ok(Success::Leased { .. }) => self.in_flight.grant(number),
            _ => self.in_flight.end(number),
        };
        let Some(pending) = pending else { return };
        let answer = match outcome {
            Ok(Success::Returned(value)) => Answer::Value(value),
            Ok(Success::Leased { worker, pid }) => Answer::Leased { worker, pid },
            Ok(Success::Reloaded) => Answer::Reloaded,
            Ok(Success::Flushed) => Answer::Flushed,
            Err(failure) => Answer::Failure(failure),
        };
        pending.answer(answer, share);
    }

    async fn end(mut self, end: End) {
        let running: HashSet<CallId> = self.in_flight.numbers().filter(|call| self.pool.runs(*call)).collect();
        if end == End::Drained {
            self.pool.end_launcher().await;
        }
        // The workers first: when `shutdown` arrives, nothing runs any more.
        if timeout(WORKERS_END, self.pool.close()).await.is_err() {
            warn!("some workers are still alive {WORKERS_END:?} after they were killed");
        }
        if let Some(failure) = self.failure.clone().filter(|_| end == End::StartFailed) {
            self.replies.put(Reply::Error(failure));
        }
        let drains: Vec<PendingReply> = self.drains.iter().filter_map(|drain| self.in_flight.end(*drain)).collect();
        for (call, pending) in self.in_flight.into_pending() {
            let phase = if running.contains(&call) { Phase::Call } else { Phase::Checkout };
            let stopping = || Failure::new(Reason::Shutdown, phase, Blame::Server, "the server is stopping");
            pending.answer(Answer::Failure(self.failure.clone().unwrap_or_else(stopping)), Share::none());
        }
        drains.into_iter().for_each(|drain| drain.answer(Answer::Drained, Share::none()));
    }
}
