//! The table of calls in flight. Owns the obligation to reply: each is a value that is consumed once.

use std::collections::HashSet;
use std::time::Duration;

use rustc_hash::FxHashMap;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::warn;

use crate::allowance::Share;
use crate::busy_poll::{self, BusyPoll};
use crate::call::{
    Blame, Call, CallId, Checkout, Failure, Outcome, Phase, Reason, Returned, Success, Target, WorkerId,
};
use crate::config::{OnCrashLoop, Wait};
use crate::outbox::Outbox;
use crate::pool::{Done, Line, Pool, Status};

/// How long the end waits for killed workers to be reaped: only the kernel can make that long.
const WORKERS_END: Duration = Duration::from_millis(500);

/// A request's number, chosen by whoever made it.
pub type PortId = u64;

/// What is asked of the server.
#[derive(Debug)]
pub enum Request {
    /// Run this.
    Call(PortId, Box<Call>),
    /// Run what a helper thread is still working on.
    LargeCall {
        /// The number of the request.
        id: PortId,
        /// Its size.
        bytes: usize,
        /// The call, or why it is none.
        coming: JoinHandle<Result<Call, Failure>>,
    },
    /// Lend me a worker.
    Checkout(PortId, Checkout),
    /// Take it back.
    Checkin {
        /// The number of this request.
        id: PortId,
        /// The number of the checkout.
        lease: PortId,
        /// The worker is of no use any more.
        broken: bool,
    },
    /// Give a call, a checkout or a lease up. There is no reply of its own.
    Cancel(PortId),
    /// Have so many workers.
    Resize(PortId, usize),
    /// Replace the workers by new ones.
    Reload(PortId),
    /// Take no more, let what runs end within this time, then end.
    Drain(PortId, Option<Duration>),
    /// The same, asked by nobody who waits for an answer.
    Stop(Option<Duration>),
    /// How is the pool?
    Status(PortId),
    /// Is anybody there?
    Ping(PortId),
    /// The request was refused before it got here.
    Refuse(PortId, Failure),
    /// Something that is no request.
    Error(Failure),
}

/// What the server says.
#[derive(Debug)]
pub enum Reply {
    /// The pool has the workers that were waited for, or `start_timeout` is over.
    Ready(Status),
    /// The reply to the request of this number; the room that it takes until it is written.
    To(PortId, Answer, Share),
    /// What a worker has printed or logged.
    Line(Line),
    /// An error that belongs to no request.
    Error(Failure),
}

impl Reply {
    /// The room that it takes, for when it has become something else.
    pub fn into_share(self) -> Share {
        match self {
            Self::To(_, _, share) => share,
            Self::Ready(_) | Self::Line(_) | Self::Error(_) => Share::none(),
        }
    }
}

/// The reply to a request.
#[derive(Debug)]
pub enum Answer {
    /// A call's result.
    Value(Returned),
    /// There is none.
    Failure(Failure),
    /// The answer to `Checkout`.
    Leased {
        /// The worker's number.
        worker: WorkerId,
        /// Its operating system pid.
        pid: u32,
    },
    /// The answer to `Checkin`: whether the lease ended by it.
    CheckedIn(bool),
    /// The answer to `Resize`.
    Resized,
    /// The answer to `Reload`.
    Reloaded,
    /// The answer to `Drain`.
    Drained,
    /// The answer to `Status`.
    Status(Box<Status>),
    /// The answer to `Ping`.
    Pong,
}

/// The obligation to answer one request. Dropped without an answer it still gives one: that would be our defect.
#[must_use]
#[derive(Debug)]
struct PendingReply {
    id: PortId,
    replies: Option<Outbox<Reply>>,
}

impl PendingReply {
    fn answer(mut self, answer: Answer, share: Share) {
        self.send(answer, share);
    }

    fn send(&mut self, answer: Answer, share: Share) {
        if let Some(replies) = self.replies.take() {
            replies.put(Reply::To(self.id, answer, share));
        }
    }
}

impl Drop for PendingReply {
    fn drop(&mut self) {
        let lost = "the server lost this call: a defect, please report it";
        let failure = Failure::new(Reason::Internal, Phase::Call, Blame::Server, lost);
        self.send(Answer::Failure(failure), Share::none());
    }
}

/// Why the dispatcher has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Nobody can make requests any more.
    Closed,
    /// It was asked to drain the pool, and has.
    Drained,
    /// Workers keep failing, and the owner is to know.
    CrashLoop,
}

/// How the dispatcher is to work.
#[derive(Clone, Copy, Debug)]
pub struct Manners {
    /// What is to be ready before it greets.
    pub wait: Wait,
    /// When it greets in any case.
    pub latest: Instant,
    /// What it does when workers keep failing.
    pub on_crash_loop: OnCrashLoop,
    /// Helper threads may be working on calls of so many bytes.
    pub max_coming_bytes: usize,
    /// How long it stays awake after an event while something is in flight.
    pub busy_poll: Duration,
}

/// A request that has not been answered.
#[derive(Debug)]
struct InFlight {
    pending: PendingReply,
    /// The helper thread that is still working on it; the pool has not heard of it.
    coming: Option<AbortHandle>,
}

/// Takes requests, feeds the pool, answers.
#[derive(Debug)]
pub struct Dispatcher {
    pool: Pool,
    in_flight: FxHashMap<CallId, InFlight>,
    /// The ids of what is in flight, leases that were granted among them.
    ids: FxHashMap<PortId, CallId>,
    leases: FxHashMap<CallId, PortId>,
    next_call: u64,
    /// What helper threads are working on, and how many bytes that is.
    coming: JoinSet<(CallId, usize, Result<Call, Failure>)>,
    coming_bytes: usize,
    manners: Manners,
    /// Who waits for the pool to be drained.
    drains: Vec<CallId>,
    drained: bool,
    /// Each entry is the answer to one request, or a line.
    replies: Outbox<Reply>,
}

impl Dispatcher {
    /// A dispatcher for this pool; what it has to say goes to `replies`.
    pub fn new(pool: Pool, replies: Outbox<Reply>, manners: Manners) -> Self {
        Self {
            pool,
            in_flight: FxHashMap::default(),
            ids: FxHashMap::default(),
            leases: FxHashMap::default(),
            next_call: 1,
            coming: JoinSet::new(),
            coming_bytes: 0,
            manners,
            drains: Vec::new(),
            drained: false,
            replies,
        }
    }

    /// Works until nobody can make requests any more, the pool is drained, or workers keep failing and that is to be the end; then
    /// all that is in flight is refused and all workers are killed.
    pub async fn run(mut self, mut requests: mpsc::Receiver<Request>) -> End {
        let (wait, latest) = (self.manners.wait, self.manners.latest);
        let mut greeted = false;
        let mut busy = BusyPoll::new(self.manners.busy_poll);
        let end = loop {
            if !greeted && (self.pool.has_started(wait) || Instant::now() >= latest) {
                greeted = true;
                self.say(Reply::Ready(self.pool.status()));
            }
            tokio::select! {
                request = requests.recv() => match request {
                    Some(request) => self.take(request),
                    None => break End::Closed,
                },
                () = self.pool.progress() => {}
                Some(Ok((number, bytes, result))) = self.coming.join_next(), if !self.coming.is_empty() => self.large_call_came(number, bytes, result),
                () = async { sleep_until(latest).await }, if !greeted => {}
                () = busy_poll::let_others(), if busy.is_on() => {
                    busy.nothing_yet(std::time::Instant::now());
                    continue;
                }
            }
            self.answer_done();
            if self.in_flight.is_empty() {
                busy.rest()
            } else {
                busy.happened(std::time::Instant::now())
            }
            if self.drained {
                break End::Drained;
            }
            if self.manners.on_crash_loop == OnCrashLoop::Exit && self.pool.crash_loop().is_some() {
                break End::CrashLoop;
            }
        };
        self.end(end).await;
        end
    }

    fn take(&mut self, request: Request) {
        match request {
            Request::Call(id, call) => self.call(id, call),
            Request::LargeCall { id, bytes, coming } => self.large_call(id, bytes, coming),
            Request::Checkout(id, checkout) => {
                if let Some(number) = self.enter(id, None) {
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
                if let Some(number) = self.enter(id, None) {
                    self.pool.reload(number);
                }
            }
            Request::Drain(id, limit) => {
                if let Some(number) = self.enter(id, None) {
                    self.drains.push(number);
                    self.pool.drain(limit);
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
        if let Some(number) = self.enter(id, None) {
            self.submit(number, call);
        }
    }

    fn submit(&mut self, number: CallId, mut call: Box<Call>) {
        let Target::Lease(lease) = call.target else { return self.pool.submit(number, call, None) };
        match self.ids.get(&lease).filter(|lease| self.leases.contains_key(lease)).copied() {
            Some(lease) => self.pool.submit(number, call, Some(lease)),
            // A drain ends the leases, and says that it is one.
            None if self.pool.is_draining() => {
                call.target = Target::Any;
                self.pool.submit(number, call, None);
            }
            None => {
                let message = format!("there is no lease {lease}, or it is over: {} did not run", call.mfa);
                self.refuse(number, Failure::new(Reason::LeaseLost, Phase::Checkout, Blame::Caller, message));
            }
        }
    }

    fn check_in(&mut self, id: PortId, lease: PortId, broken: bool) {
        if !self.is_free(id) {
            return;
        }
        let number = self.ids.get(&lease).filter(|lease| self.leases.contains_key(lease)).copied();
        let ended = number.is_some_and(|number| self.pool.check_in(number, broken));
        self.pending(id).answer(Answer::CheckedIn(ended), Share::none());
    }

    fn large_call(&mut self, id: PortId, bytes: usize, coming: JoinHandle<Result<Call, Failure>>) {
        let Some(number) = self.enter(id, Some(coming.abort_handle())) else { return coming.abort() };
        if self.coming_bytes > 0 && self.coming_bytes.saturating_add(bytes) > self.manners.max_coming_bytes {
            coming.abort();
            let message = "more large calls come in than can be read (max_queue_bytes)";
            return self.refuse(number, Failure::new(Reason::QueueFull, Phase::Checkout, Blame::Server, message));
        }
        self.coming_bytes += bytes;
        self.coming.spawn(async move {
            let lost = |_| Err(Failure::new(Reason::Internal, Phase::Call, Blame::Server, "a helper thread ended"));
            (number, bytes, coming.await.unwrap_or_else(lost))
        });
    }

    fn large_call_came(&mut self, number: CallId, bytes: usize, result: Result<Call, Failure>) {
        self.coming_bytes -= bytes;
        // It may have been cancelled meanwhile.
        let Some(in_flight) = self.in_flight.get_mut(&number) else { return };
        in_flight.coming = None;
        match result {
            Ok(call) => self.submit(number, Box::new(call.waited())),
            Err(failure) => self.refuse(number, failure),
        }
    }

    /// Gives a request its number and takes on the obligation to answer it; `None` if its id is in flight.
    fn enter(&mut self, id: PortId, coming: Option<AbortHandle>) -> Option<CallId> {
        if !self.is_free(id) {
            return None;
        }
        let number = CallId(self.next_call);
        self.next_call += 1;
        self.ids.insert(id, number);
        self.in_flight.insert(number, InFlight { pending: self.pending(id), coming });
        Some(number)
    }

    /// A reply with an id that is in flight would be taken for the reply of the call that has it: docs/protocol.md 3.3.
    fn is_free(&self, id: PortId) -> bool {
        let is_free = !self.ids.contains_key(&id);
        if !is_free {
            let message = format!("the id {id} belongs to a call or a lease in flight: this request is thrown away");
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
        let Some(number) = self.ids.get(&id).copied() else { return };
        if let Some(coming) = self.in_flight.get(&number).and_then(|in_flight| in_flight.coming.as_ref()) {
            coming.abort();
            let message = "the call was cancelled before it was read";
            self.refuse(number, Failure::new(Reason::Cancelled, Phase::Checkout, Blame::Caller, message));
        } else {
            self.pool.cancel(number);
        }
    }

    fn pending(&self, id: PortId) -> PendingReply {
        PendingReply { id, replies: Some(self.replies.clone()) }
    }

    fn answer_done(&mut self) {
        while let Some(done) = self.pool.take_done() {
            match done {
                Done::Asked(number, outcome, share) => self.answer(number, outcome, share),
                Done::Lease(number) => {
                    if let Some(id) = self.leases.remove(&number) {
                        self.ids.remove(&id);
                    }
                }
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
        let Some(InFlight { pending, .. }) = self.in_flight.remove(&number) else { return };
        if matches!(outcome, Ok(Success::Leased { .. })) {
            // Its id names the lease from now on.
            self.leases.insert(number, pending.id);
        } else {
            self.ids.remove(&pending.id);
        }
        let answer = match outcome {
            Ok(Success::Returned(value)) => Answer::Value(value),
            Ok(Success::Leased { worker, pid }) => Answer::Leased { worker, pid },
            Ok(Success::Reloaded) => Answer::Reloaded,
            Err(failure) => Answer::Failure(failure),
        };
        pending.answer(answer, share);
    }

    async fn end(mut self, end: End) {
        let running: HashSet<CallId> = self.in_flight.keys().copied().filter(|call| self.pool.runs(*call)).collect();
        let crash_loop = self.pool.crash_loop().filter(|_| end == End::CrashLoop);
        // The workers first: whoever reads `shutdown` may count on it that nothing runs any more.
        if timeout(WORKERS_END, self.pool.close()).await.is_err() {
            warn!("some workers are not dead {WORKERS_END:?} after they were killed");
        }
        let drains: Vec<InFlight> = self.drains.iter().filter_map(|drain| self.in_flight.remove(drain)).collect();
        for (call, InFlight { pending, .. }) in self.in_flight {
            let phase = if running.contains(&call) { Phase::Call } else { Phase::Checkout };
            let stopping = || Failure::new(Reason::Shutdown, phase, Blame::Server, "the server is stopping");
            pending.answer(Answer::Failure(crash_loop.clone().unwrap_or_else(stopping)), Share::none());
        }
        drains.into_iter().for_each(|drain| drain.pending.answer(Answer::Drained, Share::none()));
    }
}
