//! The table of calls in flight. Owns the obligation to reply: each is a value that is consumed once.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::warn;

use crate::call::{Blame, Call, CallId, Failure, Phase, Reason};
use crate::config::Wait;
use crate::pool::{Pool, Status};

/// How long the end waits for killed workers to be reaped: only the kernel can make that long.
const WORKERS_END: Duration = Duration::from_millis(500);

/// A request's number, chosen by whoever made it.
pub type PortId = u64;

/// What is asked of the server.
#[derive(Debug)]
pub enum Request {
    /// Run this.
    Call(PortId, Call),
    /// Give a call up. There is no reply of its own.
    Cancel(PortId),
    /// How is the pool?
    Status(PortId),
    /// Is anybody there?
    Ping(PortId),
    /// The request was refused before it got here.
    Refuse(PortId, Failure),
}

/// What the server says.
#[derive(Debug)]
pub enum Reply {
    /// The pool has the workers that were waited for, or `start_timeout` is over.
    Ready(Status),
    /// The reply to the request of this number.
    To(PortId, Answer),
    /// An error that belongs to no request.
    Error(Failure),
}

/// The reply to a request.
#[derive(Debug)]
pub enum Answer {
    /// A call's result, pickled.
    Value(Bytes),
    /// There is none.
    Failure(Failure),
    /// The answer to `Status`.
    Status(Status),
    /// The answer to `Ping`.
    Pong,
}

/// The obligation to answer one request. Dropped without an answer it still gives one: that would be our defect.
#[must_use]
#[derive(Debug)]
struct PendingReply {
    id: PortId,
    replies: Option<mpsc::UnboundedSender<Reply>>,
}

impl PendingReply {
    fn answer(mut self, answer: Answer) {
        self.send(answer);
    }

    fn send(&mut self, answer: Answer) {
        if let Some(replies) = self.replies.take() {
            // Nobody listens once the owner is gone.
            let _ = replies.send(Reply::To(self.id, answer));
        }
    }
}

impl Drop for PendingReply {
    fn drop(&mut self) {
        let lost = "the server lost this call: a defect, please report it";
        self.send(Answer::Failure(Failure::new(Reason::Internal, Phase::Call, Blame::Server, lost)));
    }
}

/// Takes requests, feeds the pool, answers.
#[derive(Debug)]
pub struct Dispatcher {
    pool: Pool,
    in_flight: HashMap<CallId, PendingReply>,
    ids: HashMap<PortId, CallId>,
    next_call: u64,
    /// Unbounded, so that a slow reader of replies never stops the pool; each entry is the answer to one request.
    replies: mpsc::UnboundedSender<Reply>,
}

impl Dispatcher {
    /// A dispatcher for this pool; what it has to say goes to `replies`.
    pub fn new(pool: Pool, replies: mpsc::UnboundedSender<Reply>) -> Self {
        Self { pool, in_flight: HashMap::new(), ids: HashMap::new(), next_call: 1, replies }
    }

    /// Works until nobody can make requests any more; then all that is in flight ends with `shutdown` and all workers are killed.
    /// `Reply::Ready` comes when `wait` is satisfied, workers keep failing, or at `latest`.
    pub async fn run(mut self, mut requests: mpsc::Receiver<Request>, wait: Wait, latest: Instant) {
        let mut greeted = false;
        loop {
            if !greeted && (self.pool.has_started(wait) || Instant::now() >= latest) {
                greeted = true;
                let _ = self.replies.send(Reply::Ready(self.pool.status()));
            }
            tokio::select! {
                request = requests.recv() => match request {
                    Some(request) => self.take(request),
                    None => return self.shut_down().await,
                },
                () = self.pool.progress() => {}
                () = sleep_until(latest), if !greeted => {}
            }
            self.answer_ended();
        }
    }

    fn take(&mut self, request: Request) {
        match request {
            Request::Call(id, call) => self.call(id, call),
            Request::Cancel(id) => {
                if let Some(call) = self.ids.get(&id) {
                    self.pool.cancel(*call);
                }
            }
            Request::Status(id) => self.pending(id).answer(Answer::Status(self.pool.status())),
            Request::Ping(id) => self.pending(id).answer(Answer::Pong),
            Request::Refuse(id, failure) => self.pending(id).answer(Answer::Failure(failure)),
        }
    }

    fn call(&mut self, id: PortId, call: Call) {
        if self.ids.contains_key(&id) {
            // docs/protocol.md 3.3: a reply with this id would be taken for the reply of the call that has it.
            let message = format!("the id {id} belongs to a call in flight: this request is thrown away");
            let _ = self.replies.send(Reply::Error(Failure::bad_request(message).with("id", id)));
            return;
        }
        let number = CallId(self.next_call);
        self.next_call += 1;
        self.ids.insert(id, number);
        self.in_flight.insert(number, self.pending(id));
        self.pool.submit(number, call);
    }

    fn pending(&self, id: PortId) -> PendingReply {
        PendingReply { id, replies: Some(self.replies.clone()) }
    }

    fn answer_ended(&mut self) {
        while let Some((call, outcome)) = self.pool.take_ended() {
            let Some(pending) = self.in_flight.remove(&call) else { continue };
            self.ids.remove(&pending.id);
            pending.answer(match outcome {
                Ok(value) => Answer::Value(value),
                Err(failure) => Answer::Failure(failure),
            });
        }
    }

    async fn shut_down(self) {
        // The workers first: whoever reads `shutdown` may count on it that nothing runs any more.
        if timeout(WORKERS_END, self.pool.close()).await.is_err() {
            warn!("some workers are not dead {WORKERS_END:?} after they were killed");
        }
        for pending in self.in_flight.into_values() {
            let failure = Failure::new(Reason::Shutdown, Phase::Call, Blame::Server, "the server is stopping");
            pending.answer(Answer::Failure(failure));
        }
    }
}
