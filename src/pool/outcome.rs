//! What the caller is told of a call that has no result: the one place where a `Failure` of a call is made.

use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::json;

use super::driver::InHand;
use super::event::Refusal;
use crate::call::{Blame, Failure, Form, Outcome, Phase, Reason, Returned};
use crate::worker::{Ended, Exit, FromWorker, fields};

/// What is known when a call is refused.
pub(super) struct Context<'a> {
    pub(super) now: Instant,
    pub(super) pid: Option<u32>,
    pub(super) ended: Option<&'a Ended>,
    pub(super) last_start_error: Option<&'a Failure>,
    /// Calls in the queue.
    pub(super) waiting: usize,
}

/// What a worker's answer means: docs/worker_protocol.md 4.
pub(super) fn of_reply(kind: FromWorker, body: Bytes, form: Form) -> Outcome {
    let (reason, phase, blame) = match kind {
        FromWorker::Result => return Ok(Returned { pickle: body, form }),
        FromWorker::Raised => (Reason::Exception, Phase::Call, Blame::Worker),
        FromWorker::Undef => (Reason::Undef, Phase::Call, Blame::Caller),
        FromWorker::Unencodable => (Reason::Unencodable, Phase::Reply, Blame::Worker),
        FromWorker::TooLarge => (Reason::TooLarge, Phase::Reply, Blame::Worker),
        FromWorker::Hello
        | FromWorker::Failed
        | FromWorker::Pong
        | FromWorker::Grew
        | FromWorker::Forked
        | FromWorker::Unfit => (Reason::Internal, Phase::Call, Blame::Server),
    };
    let (message, detail) = fields(&body);
    Err(Failure { detail, ..Failure::new(reason, phase, blame, message) })
}

/// Why a worker did not get ready.
pub(super) fn of_start(ended: &Ended) -> Failure {
    if let Some(error) = &ended.start_error {
        let failure = start_failure(format!("the worker did not get ready: {}", error.message));
        return with_exit(Failure { detail: error.detail.clone(), ..failure }, ended);
    }
    with_exit(start_failure(format!("the worker did not get ready: {}", how_it_ended(ended))), ended)
}

/// A worker that did not get ready in time.
pub(super) fn of_slow_start(limit: Duration) -> Failure {
    start_failure(format!("the worker was not ready after {} ms (start_timeout) and was killed", limit.as_millis()))
}

fn start_failure(message: String) -> Failure {
    Failure::new(Reason::WorkerStart, Phase::Start, Blame::Worker, message)
}

/// What the core's refusal means for the caller.
pub(super) fn of_refusal(refusal: Refusal, in_hand: &InHand, context: Context<'_>) -> Failure {
    let mfa = &in_hand.call.mfa;
    let failure = match refusal {
        Refusal::QueueFull => queue_full(context.waiting),
        Refusal::CrashLoop => crash_loop(context.last_start_error),
        Refusal::CheckoutTimeout => checkout_timeout(in_hand, &context),
        Refusal::CancelledWaiting => Failure::new(
            Reason::Cancelled,
            Phase::Checkout,
            Blame::Caller,
            format!("{mfa} was cancelled before it ran"),
        ),
        Refusal::CancelledRunning(_) => {
            let message = format!("{mfa} was cancelled while it ran: its worker was killed");
            Failure::new(Reason::Cancelled, Phase::Call, Blame::Caller, message)
        }
        Refusal::Timeout(_) => {
            let limit = in_hand.call.limits.timeout.unwrap_or_default().as_millis();
            let message = format!("{mfa} ran longer than {limit} ms (timeout): its worker was killed");
            Failure::new(Reason::Timeout, Phase::Call, Blame::Worker, message)
        }
        Refusal::WorkerExit(_) => worker_exit(in_hand, context.ended),
    };
    with_worker(failure, refusal, in_hand, &context)
}

fn queue_full(waiting: usize) -> Failure {
    let message = "the queue is full (max_queue, max_queue_bytes): there is more work than the workers can do";
    Failure::new(Reason::QueueFull, Phase::Checkout, Blame::Server, message).with("waiting", waiting)
}

fn crash_loop(last: Option<&Failure>) -> Failure {
    let why = last.map_or_else(|| "they die as soon as they are ready".to_owned(), |failure| failure.message.clone());
    let failure = Failure::new(Reason::CrashLoop, Phase::Start, Blame::Worker, format!("no worker starts: {why}"));
    with_start_error(failure, last)
}

fn checkout_timeout(in_hand: &InHand, context: &Context<'_>) -> Failure {
    let waited = context.now.saturating_duration_since(in_hand.call.arrived).as_millis();
    let mut message =
        format!("no worker was free for {} within {waited} ms (checkout_timeout); it did not run", in_hand.call.mfa);
    if let Some(last) = context.last_start_error {
        message.push_str(&format!("; workers do not start: {}", last.message));
    }
    let failure = Failure::new(Reason::CheckoutTimeout, Phase::Checkout, Blame::Server, message);
    with_start_error(failure.with("waited_ms", u64::try_from(waited).unwrap_or(u64::MAX)), context.last_start_error)
}

fn worker_exit(in_hand: &InHand, ended: Option<&Ended>) -> Failure {
    let how = ended.map_or_else(String::new, how_it_ended);
    let message = format!("the worker died while it ran {}: {how}", in_hand.call.mfa);
    let failure = Failure::new(Reason::WorkerExit, Phase::Call, Blame::Worker, message);
    match ended {
        Some(ended) => with_exit(failure, ended),
        None => failure,
    }
}

fn how_it_ended(ended: &Ended) -> String {
    let exit = ended.exit.map(|exit| exit.to_string());
    let last_line = ended.stderr.last().map(|line| format!("its last word was: {line}"));
    let parts: Vec<String> = [ended.trouble.clone(), exit, last_line].into_iter().flatten().collect();
    parts.join("; ")
}

fn with_exit(failure: Failure, ended: &Ended) -> Failure {
    let failure = match ended.exit {
        Some(Exit::Status(status)) => failure.with("status", status),
        Some(Exit::Signal(signal)) => failure.with("signal", signal),
        None => failure,
    };
    failure.with("stderr", ended.stderr.clone())
}

fn with_start_error(failure: Failure, last: Option<&Failure>) -> Failure {
    match last {
        Some(last) => failure.with("last_start_error", json!({"message": last.message, "detail": last.detail})),
        None => failure,
    }
}

fn with_worker(failure: Failure, refusal: Refusal, in_hand: &InHand, context: &Context<'_>) -> Failure {
    let (Some(worker), Some(started)) = (refusal.worker(), in_hand.started) else { return failure };
    let elapsed = context.now.saturating_duration_since(started).as_millis();
    let failure = failure.with("worker", worker.0).with("elapsed_ms", u64::try_from(elapsed).unwrap_or(u64::MAX));
    match context.pid.or_else(|| context.ended?.pid) {
        Some(pid) => failure.with("pid", pid),
        None => failure,
    }
}
