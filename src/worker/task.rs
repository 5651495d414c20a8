//! One worker's life: launch, hello, calls, death. The task owns the channel and the log pipes; it tells the pool what happens.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::warn;

use super::channel::{Channel, Closed, Frame};
use super::event::{Ended, Event, Reply, Started};
use super::launcher::{Launched, Launcher};
use super::logs::LogPipe;
use super::process::Process;
use super::wire::{CODEC, FromWorker, PROTOCOL};
use crate::call::{Body, CallId, WorkerId};
use crate::codec;

/// A worker whose channel is closed is usually about to end; one that is not is killed after this.
const END_GRACE: Duration = Duration::from_millis(100);

#[derive(Debug)]
enum Order {
    Call(CallId, Body),
    Retire,
    Kill,
}

/// The pool's hold on a worker. The worker is killed when this is dropped.
#[derive(Debug)]
pub struct Handle {
    orders: mpsc::UnboundedSender<Order>,
    process: Arc<OnceLock<Arc<Process>>>,
}

impl Handle {
    /// Hands it a call. It must be idle.
    pub fn call(&self, call: CallId, body: Body) {
        // A worker that has just ended does not take it; its `Ended` is on the way and does not name this call.
        let _ = self.orders.send(Order::Call(call, body));
    }

    /// Asks it to end by closing its channel. It must be idle.
    pub fn retire(&self) {
        let _ = self.orders.send(Order::Retire);
    }

    /// Kills its process group now.
    pub fn kill(&self) {
        match self.process.get() {
            Some(process) => process.kill(),
            None => drop(self.orders.send(Order::Kill)),
        }
    }

    /// Its operating system pid, once there is a process.
    pub fn pid(&self) -> Option<u32> {
        self.process.get().map(|process| process.pid())
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts a worker beside the caller. Its events come with its number; after `Ended` there are none.
///
/// `orders` is unbounded, but a worker gets at most one call at a time, one retirement and one kill. `events` is bounded: a task
/// waits when the pool is behind.
pub fn start(
    worker: WorkerId,
    launcher: Arc<dyn Launcher>,
    max_frame: usize,
    events: mpsc::Sender<(WorkerId, Event)>,
) -> Handle {
    let (sender, orders) = mpsc::unbounded_channel();
    let process = Arc::new(OnceLock::new());
    let handle = Handle { orders: sender, process: Arc::clone(&process) };
    tokio::spawn(async move {
        let ended = match launch(worker, &*launcher, max_frame, &process).await {
            Ok(life) => life.live(orders, &events).await,
            Err(error) => Ended { trouble: Some(format!("python could not be started: {error}")), ..Ended::default() },
        };
        // The pool is gone if nobody listens; then the process is dead already.
        let _ = events.send((worker, Event::Ended(ended))).await;
    });
    handle
}

async fn launch(
    worker: WorkerId,
    launcher: &dyn Launcher,
    max_frame: usize,
    process: &OnceLock<Arc<Process>>,
) -> io::Result<Life> {
    let Launched { process: started, channel, start_order, stdout, stderr } = launcher.launch(worker).await?;
    let started = process.get_or_init(|| started);
    Ok(Life {
        worker,
        process: Arc::clone(started),
        channel: Channel::open(channel, start_order, max_frame)?,
        stdout: LogPipe::stdout(stdout, worker)?,
        stderr: LogPipe::stderr(stderr, worker)?,
        stage: Stage::Starting,
        trouble: None,
        must_end: None,
        unread: false,
    })
}

/// What the worker is doing, as the channel shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Starting,
    Idle,
    Busy(CallId),
}

/// A worker with a process.
#[derive(Debug)]
struct Life {
    worker: WorkerId,
    process: Arc<Process>,
    channel: Channel,
    stdout: LogPipe,
    stderr: LogPipe,
    stage: Stage,
    trouble: Option<String>,
    /// Its channel is closed: if it does not end by then, it is killed.
    must_end: Option<Instant>,
    /// Something that was written to it will never be read.
    unread: bool,
}

impl Life {
    async fn live(
        mut self,
        mut orders: mpsc::UnboundedReceiver<Order>,
        events: &mpsc::Sender<(WorkerId, Event)>,
    ) -> Ended {
        loop {
            let (open, must_end) = (self.must_end.is_none(), self.must_end.unwrap_or_else(Instant::now));
            let call = self.call();
            // Orders first: a retirement or a call is never overtaken by a later frame.
            tokio::select! {
                biased;
                Some(order) = orders.recv() => self.obey(order),
                frame = self.channel.frame(), if open => match frame.map(|frame| self.event(frame)) {
                    Ok(Ok(event)) => drop(events.send((self.worker, event)).await),
                    Ok(Err(violation)) => self.closed(Closed::Violation(violation)),
                    Err(closed) => self.closed(closed),
                },
                _ = self.process.ended() => break,
                () = tokio::time::sleep_until(must_end), if !open => self.outlived_its_channel(),
                () = self.stdout.pump(call) => {}
                () = self.stderr.pump(call) => {}
            }
        }
        if self.must_end.is_none() {
            self.take_last_frame(events).await;
        }
        self.end()
    }

    fn call(&self) -> Option<CallId> {
        match self.stage {
            Stage::Busy(call) => Some(call),
            Stage::Starting | Stage::Idle => None,
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Call(call, body) => {
                self.stage = Stage::Busy(call);
                self.channel.send(call, body);
            }
            Order::Retire => self.channel.close(),
            Order::Kill => self.process.kill(),
        }
    }

    /// What a frame means, or why it must not come now: docs/worker_protocol.md 2.2.
    fn event(&mut self, frame: Frame) -> Result<Event, String> {
        let Frame { kind, call, body } = frame;
        match (self.stage, kind) {
            (Stage::Starting, FromWorker::Hello) => {
                check_hello(&body)?;
                self.stage = Stage::Idle;
                Ok(Event::Started(Started { pid: self.process.pid() }))
            }
            (Stage::Busy(in_hand), _) if in_hand == call && kind.answers_a_call() => {
                // What it printed in the call was written before the reply, so it is there to be read now.
                self.stdout.drain(Some(call));
                self.stderr.drain(Some(call));
                self.stage = Stage::Idle;
                Ok(Event::Replied(Reply { call, kind, body }))
            }
            (stage, _) => Err(format!("{kind:?} for call {call} while {stage:?}")),
        }
    }

    /// The channel brings no more: without it the worker is of no use.
    fn closed(&mut self, closed: Closed) {
        self.must_end = Some(Instant::now() + END_GRACE);
        match closed {
            Closed::End => {}
            Closed::Unread => self.unread = true,
            Closed::Violation(_) | Closed::Failed(_) => {
                warn!(worker = self.worker.0, "{closed}: it is killed");
                self.trouble = Some(closed.to_string());
                self.process.kill();
            }
        }
    }

    fn outlived_its_channel(&mut self) {
        self.trouble.get_or_insert_with(|| "the worker closed its channel and ran on".to_owned());
        self.must_end = Some(Instant::now() + END_GRACE);
        self.process.kill();
    }

    /// A reply that was written in full counts, also if its worker did not live to see it read.
    async fn take_last_frame(&mut self, events: &mpsc::Sender<(WorkerId, Event)>) {
        match self.channel.last_frame() {
            Ok(Some(frame)) => {
                if let Ok(event) = self.event(frame) {
                    let _ = events.send((self.worker, event)).await;
                }
            }
            Err(Closed::Unread) => self.unread = true,
            Ok(None) | Err(_) => {}
        }
    }

    fn end(self) -> Ended {
        let exit = self.process.reap();
        let call = self.call();
        self.stdout.finish(call);
        Ended {
            pid: Some(self.process.pid()),
            call,
            exit: exit.ok(),
            undelivered: self.unread || !self.channel.is_written(),
            stderr: self.stderr.finish(call),
            trouble: self.trouble,
        }
    }
}

/// Refuses a worker side that is not ours: one from `PORTPOOL_PYTHON_DIR` may be older or newer. docs/worker_protocol.md 4.
fn check_hello(body: &[u8]) -> Result<(), String> {
    let hello =
        codec::read(body).and_then(|hello| hello.to_json()).map_err(|error| format!("an unreadable hello: {error}"))?;
    let (protocol, codec) = (hello.get("protocol"), hello.get("codec"));
    if protocol.and_then(Value::as_u64) == Some(PROTOCOL) && codec.and_then(Value::as_str) == Some(CODEC) {
        return Ok(());
    }
    let name = |value: Option<&Value>| value.map_or_else(|| "none".to_owned(), Value::to_string);
    Err(format!("a hello of protocol {} and codec {}, not {PROTOCOL} and {CODEC}", name(protocol), name(codec)))
}
