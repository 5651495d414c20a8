//! What a caller is told about a call: the only place that makes a call's `Failure`.

use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value, json};

use super::event::{KillCause, Refusal};
use super::in_hand::{InHand, Job};
use crate::call::{Blame, Failure, Form, Meta, Outcome, Phase, Reason, Returned, Success, WorkerId};
use crate::worker::{Ended, Exit, FromWorker, Stacks, fields};

/// What is known when a call is refused.
pub(super) struct Context<'a> {
    pub(super) now: Instant,
    pub(super) pid: Option<u32>,
    pub(super) ended: Option<&'a Ended>,
    pub(super) last_start_error: Option<&'a Failure>,
    /// Why the last reload failed.
    pub(super) reload_error: Option<&'a Failure>,
    /// Calls in the queue.
    pub(super) waiting: usize,
}

/// The outcome that a worker's answer means.
pub(super) fn of_answer(in_hand: &InHand, kind: FromWorker, body: Bytes, worker: WorkerId, pid: u32) -> Outcome {
    let Job::Call(call) = &in_hand.job else { return Ok(Success::Reloaded) };
    if in_hand.interrupted
        && let Some(failure) = of_interrupt(kind, &body, in_hand, worker, pid)
    {
        return Err(failure);
    }
    of_reply(kind, body, call.form, in_hand.meta(worker, pid))
}

/// The outcome that an answer means by its kind: docs/worker_protocol.md 4.
fn of_reply(kind: FromWorker, body: Bytes, form: Form, meta: Option<Meta>) -> Outcome {
    let (reason, phase, blame) = match kind {
        FromWorker::Result => return Ok(Success::Returned(Returned { pickle: body, form, meta })),
        FromWorker::Raised => (Reason::Exception, Phase::Call, Blame::Worker),
        FromWorker::Undef => (Reason::Undef, Phase::Call, Blame::Caller),
        FromWorker::Unencodable => (Reason::Unencodable, Phase::Reply, Blame::Worker),
        FromWorker::TooLarge => (Reason::TooLarge, Phase::Reply, Blame::Worker),
        FromWorker::Hello
        | FromWorker::Failed
        | FromWorker::Pong
        | FromWorker::Replace
        | FromWorker::Forked
        | FromWorker::Unfit => (Reason::Internal, Phase::Call, Blame::Server),
    };
    let (message, mut detail) = fields(&body);
    let (phase, blame) = match detail.remove("argument") {
        Some(Value::Bool(true)) => (Phase::Call, Blame::Caller),
        _ => (phase, blame),
    };
    Err(Failure { detail, ..Failure::new(reason, phase, blame, message) })
}

/// The outcome of an answer after an interrupt: an exception is the requested end, anything else stands.
fn of_interrupt(kind: FromWorker, body: &[u8], in_hand: &InHand, worker: WorkerId, pid: u32) -> Option<Failure> {
    if kind != FromWorker::Raised {
        return None;
    }
    let (_, detail) = fields(body);
    let message = format!("{} and ended when it was interrupted", too_long(in_hand));
    let failure = Failure { detail, ..Failure::new(Reason::Timeout, Phase::Call, Blame::Worker, message) };
    let elapsed = in_hand.started.map(|started| started.elapsed()).unwrap_or_default();
    Some(failure.with("worker", worker.0).with("pid", pid).with("elapsed_ms", millis(elapsed)))
}

/// Adds where Python was when it was killed.
pub(super) fn with_stacks(mut failure: Failure, stacks: &Stacks) -> Failure {
    match stacks {
        Stacks::Dumped(text) => failure.with("stacks", text.as_str()),
        Stacks::WasStopped => {
            failure.message.push_str("; the process was stopped (SIGSTOP), so it could not report where it was");
            failure
        }
        Stacks::None => failure,
    }
}

/// Why a worker did not become ready.
pub(super) fn of_start(ended: &Ended) -> Failure {
    if let Some(error) = &ended.start_error {
        let failure = start_failure(format!("the worker did not become ready: {}", error.message));
        return with_exit(Failure { detail: error.detail.clone(), ..failure }, ended);
    }
    with_exit(start_failure(format!("the worker did not become ready: {}", how_it_ended(ended))), ended)
}

/// The failure of a worker that did not become ready in time.
pub(super) fn of_slow_start(limit: Duration) -> Failure {
    start_failure(format!("the worker was not ready after {} ms (start_timeout) and was killed", limit.as_millis()))
}

fn start_failure(message: String) -> Failure {
    Failure::new(Reason::WorkerStart, Phase::Start, Blame::Worker, message)
}

/// The failure that a refusal by the core means for the caller.
pub(super) fn of_refusal(refusal: Refusal, in_hand: &InHand, context: Context<'_>) -> Failure {
    let what = in_hand.job.name();
    let failure = match refusal {
        Refusal::QueueFull => queue_full(context.waiting),
        Refusal::CrashLoop => crash_loop(context.last_start_error),
        Refusal::CheckoutTimeout => checkout_timeout(in_hand, &context),
        Refusal::CancelledWaiting => cancelled(Phase::Checkout, format!("{what} was cancelled: {}", not_run(in_hand))),
        Refusal::CancelledRunning(_) => cancelled(Phase::Call, format!("{what} was cancelled while it ran")),
        Refusal::Timeout(_) => {
            let message = format!("{}: its worker was killed", too_long(in_hand));
            Failure::new(Reason::Timeout, Phase::Call, Blame::Worker, message)
        }
        Refusal::WorkerExit(_) => worker_exit(in_hand, context.ended),
        Refusal::Undelivered { workers, .. } => undelivered(in_hand, workers, context.ended),
        Refusal::Quarantined { kills, rest } => quarantined(&what, kills, rest),
        Refusal::LeaseLost => lease_lost(Phase::Checkout, format!("the lease of {what} has ended: it did not run")),
        Refusal::LeaseLostRunning(_) => {
            lease_lost(Phase::Call, format!("the lease ended (lease_timeout) while {what} ran: its worker was killed"))
        }
        Refusal::WorkerGone(worker) => {
            let message = format!("worker {worker}, which {what} asked for, is gone: {}", not_run(in_hand));
            Failure::new(Reason::WorkerGone, Phase::Checkout, Blame::Caller, message).with("worker", worker.0)
        }
        Refusal::ReloadFailed => reload_failed(context.reload_error),
        Refusal::Draining => shutdown(
            Phase::Checkout,
            format!("{what} was refused, because the pool is being drained: {}", not_run(in_hand)),
        ),
        Refusal::DrainTimeout(_) => {
            shutdown(Phase::Call, format!("drain_timeout ended while {what} ran: its worker was killed"))
        }
    };
    with_worker(failure, refusal, in_hand, &context)
}

/// What happened to a call that no worker has.
fn not_run(in_hand: &InHand) -> &'static str {
    if in_hand.began { "it was not retried after its worker died" } else { "it did not run" }
}

fn cancelled(phase: Phase, message: String) -> Failure {
    Failure::new(Reason::Cancelled, phase, Blame::Caller, message)
}

fn lease_lost(phase: Phase, message: String) -> Failure {
    Failure::new(Reason::LeaseLost, phase, Blame::Caller, message)
}

fn shutdown(phase: Phase, message: String) -> Failure {
    Failure::new(Reason::Shutdown, phase, Blame::Server, message)
}

fn quarantined(what: &str, kills: u32, rest: Duration) -> Failure {
    let message = format!(
        "{what} with these arguments has killed {kills} workers within ten minutes: it is refused for {} s (quarantine)",
        rest.as_secs()
    );
    Failure::new(Reason::Quarantined, Phase::Checkout, Blame::Caller, message)
        .with("kills", kills)
        .with("retry_after_ms", millis(rest))
}

fn reload_failed(last: Option<&Failure>) -> Failure {
    let failed = "the new workers do not start; the old ones keep serving";
    match last {
        Some(last) => Failure { message: format!("{failed}: {}", last.message), ..last.clone() },
        None => start_failure(failed.to_owned()),
    }
}

fn queue_full(waiting: usize) -> Failure {
    let message = "the queue is full (max_queue, max_queue_bytes): calls arrive faster than the workers finish them";
    Failure::new(Reason::QueueFull, Phase::Checkout, Blame::Server, message).with("waiting", waiting)
}

/// No worker starts.
pub(super) fn crash_loop(last: Option<&Failure>) -> Failure {
    let why =
        last.map_or_else(|| "workers die as soon as they are ready".to_owned(), |failure| failure.message.clone());
    let failure = Failure::new(Reason::CrashLoop, Phase::Start, Blame::Worker, format!("no worker starts: {why}"));
    with_start_error(failure, last)
}

/// Which of its limits a call has reached after this time.
fn limit_reached(elapsed: Duration, limit: Option<Duration>, name: &'static str) -> &'static str {
    if limit.is_some_and(|limit| elapsed >= limit) { name } else { "deadline" }
}

/// The message for a call that ran too long, with the limit it reached.
fn too_long(in_hand: &InHand) -> String {
    let elapsed = in_hand.started.map(|started| started.elapsed()).unwrap_or_default();
    let name = limit_reached(elapsed, in_hand.timeout(), "timeout");
    let limit = if name == "timeout" { in_hand.timeout() } else { in_hand.deadline() };
    format!("{} ran longer than {} ms ({name})", in_hand.job.name(), millis(limit.unwrap_or_default()))
}

fn checkout_timeout(in_hand: &InHand, context: &Context<'_>) -> Failure {
    let waited = in_hand.arrived().map(|at| context.now.saturating_duration_since(at)).unwrap_or_default();
    let name = match in_hand.deadline() {
        Some(deadline) if waited >= deadline => "deadline",
        _ => "checkout_timeout",
    };
    let what = in_hand.job.name();
    let mut message =
        format!("no worker was free for {what} within {} ms ({name}); {}", millis(waited), not_run(in_hand));
    if let Some(last) = context.last_start_error {
        message.push_str(&format!("; workers do not start: {}", last.message));
    }
    let failure = Failure::new(Reason::CheckoutTimeout, Phase::Checkout, Blame::Server, message);
    with_start_error(failure.with("waited_ms", millis(waited)), context.last_start_error)
}

fn worker_exit(in_hand: &InHand, ended: Option<&Ended>) -> Failure {
    let how = ended.map_or_else(String::new, how_it_ended);
    let message = format!("the worker died while running {}: {how}", in_hand.job.name());
    let failure =
        Failure::new(Reason::WorkerExit, Phase::Call, Blame::Worker, message).with("attempt", in_hand.attempt);
    match ended {
        Some(ended) => with_exit(failure, ended),
        None => failure,
    }
}

fn undelivered(in_hand: &InHand, workers: u8, ended: Option<&Ended>) -> Failure {
    let how = ended.map_or_else(String::new, how_it_ended);
    let message = format!(
        "{workers} workers died before they had read {}: {}; the last one: {how}",
        in_hand.job.name(),
        not_run(in_hand)
    );
    let failure =
        Failure::new(Reason::WorkerExit, Phase::Checkout, Blame::Worker, message).with("attempt", in_hand.attempt);
    match ended {
        Some(ended) => with_exit(failure, ended),
        None => failure,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// How a worker ended, as text.
pub(super) fn how_it_ended(ended: &Ended) -> String {
    let exit = ended.exit.map(|exit| match ended.oom {
        true => format!("{exit}, most likely by the kernel, which was out of memory"),
        false => exit.to_string(),
    });
    let last_line = ended.last_words().map(|line| format!("its last line was: {line}"));
    let parts: Vec<String> = [ended.trouble.clone(), exit, last_line].into_iter().flatten().collect();
    parts.join("; ")
}

/// Why the pool killed a worker, as text.
pub(super) fn why_killed(cause: KillCause) -> &'static str {
    match cause {
        KillCause::StartTimeout => "it was not ready in time (start_timeout)",
        KillCause::Timeout => "its call ran too long",
        KillCause::Cancelled => "its call was cancelled",
        KillCause::LeaseEnded => "its lease ended while its call ran",
        KillCause::RetireTimeout => "it was asked to end and did not",
        KillCause::Silent => "it did not answer whether it is alive (idle_check)",
        KillCause::Superseded => "it was no longer needed",
        KillCause::DrainTimeout => "the drain took too long (drain_timeout)",
    }
}

fn with_exit(failure: Failure, ended: &Ended) -> Failure {
    let failure = match ended.exit {
        Some(Exit::Status(status)) => failure.with("status", status),
        Some(Exit::Signal(signal)) => failure.with("signal", signal),
        None => failure,
    };
    let failure = if ended.oom { failure.with("oom", true) } else { failure };
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
    let elapsed = context.now.saturating_duration_since(started);
    let failure = failure.with("worker", worker.0);
    let failure = match refusal {
        Refusal::Undelivered { .. } => failure,
        _ => failure.with("elapsed_ms", millis(elapsed)),
    };
    match context.pid.or_else(|| context.ended?.pid) {
        Some(pid) => failure.with("pid", pid),
        None => failure,
    }
}
