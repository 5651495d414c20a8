//! The life of one worker: launch, hello, calls, death. The task owns the channel and the log pipes, and sends events
//! to the pool.

use std::future::pending;
use std::sync::{Arc, OnceLock};

use rustix::process::Signal;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::warn;

use super::channel::{Channel, Frame};
use super::ends::Closed;
use super::event::{Ended, Event, Replacement, Reply, Stacks, StartError, Started};
use super::handle::{Born, Command, Handle};
use super::hello;
use super::launcher::{Launched, Launcher, NoProcess};
use super::line::Writers;
use super::logs::LogPipe;
use super::memory::OomKills;
use super::process::{Exit, Process};
use super::stop::{self, DUMP_LIMIT, END_GRACE};
use super::wire::FromWorker;
use crate::allowance::Allowance;
use crate::call::{CallId, WorkerId};

/// Starts a worker in the background. Its events carry its number; after `Ended` there are none. Workers of one
/// generation have imported the same code. Its results take their share from the allowance.
///
/// `commands` is unbounded, but a worker gets few: calls go through its inbox instead. `events` is bounded: a task
/// waits when the pool is behind.
pub fn start(
    worker: WorkerId,
    generation: u64,
    launcher: Arc<dyn Launcher>,
    max_frame: usize,
    allowance: Allowance,
    events: mpsc::Sender<(WorkerId, Event)>,
) -> Handle {
    let (sender, mut commands) = mpsc::unbounded_channel();
    let birth = Arc::new(OnceLock::new());
    let handle = Handle::new(sender, Arc::clone(&birth));
    tokio::spawn(async move {
        let launched = tokio::select! {
            launched = launch(worker, generation, &*launcher, max_frame, allowance, &birth) => Some(launched),
            () = given_up(&mut commands) => None,
        };
        let ended = match launched {
            Some(Ok(life)) => life.live(commands, &events).await,
            Some(Err(NoProcess::Failed(error))) => Ended { start_error: Some(error), ..Ended::default() },
            Some(Err(error)) => Ended { trouble: Some(error.to_string()), ..Ended::default() },
            None => {
                Ended { trouble: Some("it was given up before its process started".to_owned()), ..Ended::default() }
            }
        };
        // If nobody listens, the pool is gone, and the process is already dead.
        let _ = events.send((worker, Event::Ended(ended))).await;
    });
    handle
}

/// Waits until a time, if there is one.
async fn sleep_until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => pending().await,
    }
}

/// Waits until nobody wants the worker, which has no process yet.
async fn given_up(commands: &mut mpsc::UnboundedReceiver<Command>) {
    while let Some(command) = commands.recv().await {
        if matches!(command, Command::Kill | Command::TimeOut | Command::Retire) {
            break;
        }
    }
}

async fn launch(
    worker: WorkerId,
    generation: u64,
    launcher: &dyn Launcher,
    max_frame: usize,
    allowance: Allowance,
    birth: &OnceLock<Born>,
) -> Result<Life, NoProcess> {
    let Launched { process, channel, start_order, stdout, stderr, log, kills } =
        launcher.launch(worker, generation).await?;
    let channel = Channel::open(channel, start_order, max_frame, Some(allowance))?;
    let born = birth.get_or_init(|| Born { process, inbox: channel.inbox().clone() });
    Ok(Life {
        worker,
        process: Arc::clone(&born.process),
        channel,
        stdout: LogPipe::stdout(stdout, worker, &log)?,
        stderr: LogPipe::stderr(stderr, worker, &log)?,
        has_started: false,
        listening: true,
        must_end: None,
        trouble: None,
        start_error: None,
        kills,
    })
}

/// A worker with a process.
#[derive(Debug)]
struct Life {
    worker: WorkerId,
    process: Arc<Process>,
    channel: Channel,
    stdout: LogPipe,
    stderr: LogPipe,
    /// Whether it has said hello.
    has_started: bool,
    /// Whether frames are read from its channel.
    listening: bool,
    /// It has nothing more to do: if it has not ended by then, it is killed.
    must_end: Option<Instant>,
    trouble: Option<String>,
    start_error: Option<StartError>,
    /// The count before it started.
    kills: OomKills,
}

impl Life {
    async fn live(
        mut self,
        mut commands: mpsc::UnboundedReceiver<Command>,
        events: &mpsc::Sender<(WorkerId, Event)>,
    ) -> Ended {
        let inbox = self.channel.inbox().clone();
        loop {
            let must_end = self.must_end;
            // Commands first: a retirement is never overtaken by a later frame.
            let event = tokio::select! {
                biased;
                Some(command) = commands.recv() => self.obey(command).await,
                frame = self.channel.frame(), if self.listening => self.heard(frame),
                _ = self.process.ended() => break,
                () = sleep_until(must_end) => {
                    self.outlived_its_end();
                    None
                }
                () = self.stdout.pump(Some(&inbox)) => None,
                () = self.stderr.pump(Some(&inbox)) => None,
            };
            if let Some(event) = event {
                let _ = events.send((self.worker, event)).await;
            }
        }
        self.take_last_frames(events).await;
        self.end()
    }

    fn call(&self) -> Option<CallId> {
        self.channel.inbox().in_hand().map(|call| call.id)
    }

    async fn obey(&mut self, command: Command) -> Option<Event> {
        match command {
            // Written while waiting for the next frame.
            Command::Write => {}
            Command::TimeOut => return Some(Event::Stopped(self.time_out().await)),
            Command::Retire => self.channel.inbox().close(),
            Command::Kill => self.process.kill(),
            Command::Flush(to_read) => {
                let inbox = self.channel.inbox().clone();
                self.stdout.flush(Some(&inbox));
                self.stderr.flush(Some(&inbox));
                drop(to_read);
            }
        }
        None
    }

    async fn time_out(&mut self) -> Stacks {
        self.listening = false;
        stop::dump_and_kill(&self.process, DUMP_LIMIT).await
    }

    /// Handles the next frame, or the fact that there is none.
    fn heard(&mut self, frame: Result<Frame, Closed>) -> Option<Event> {
        let event = frame.and_then(|frame| self.event(frame).map_err(Closed::Violation));
        event.unwrap_or_else(|closed| {
            self.closed(closed);
            None
        })
    }

    /// The event that a frame means, or why it must not come now: docs/worker_protocol.md 2.2.
    fn event(&mut self, frame: Frame) -> Result<Option<Event>, String> {
        let Frame { kind, call, run, body, share } = frame;
        match kind {
            FromWorker::Hello if !self.has_started => {
                let path = hello::read(&body)?;
                self.has_started = true;
                Ok(Some(Event::Started(Started { pid: self.process.pid(), path })))
            }
            FromWorker::Failed if !self.has_started => {
                self.start_error = Some(StartError::read(&body));
                self.leave();
                Ok(None)
            }
            // The channel only lets through an answer to the running call.
            _ if kind.answers_a_call() => {
                // What it printed during the call was written before the reply, so it can be read now.
                let inbox = self.channel.inbox();
                let answered = inbox.take_answered();
                let writers = || inbox.writers(answered.as_ref());
                self.stdout.drain(&writers);
                self.stderr.drain(&writers);
                Ok(Some(Event::Replied(Reply { call, kind, run, body, share })))
            }
            FromWorker::Pong if self.channel.inbox().pong() => Ok(Some(Event::Pong)),
            FromWorker::Replace if self.has_started => Ok(Some(Event::Replace(Replacement::read(&body)))),
            _ => Err(format!("{kind:?} for call {call}, {}", self.stage())),
        }
    }

    fn stage(&self) -> String {
        match self.call() {
            _ if !self.has_started => "before it was ready".to_owned(),
            Some(call) => format!("while it was running call {call}"),
            None => "while it was idle".to_owned(),
        }
    }

    /// It is about to end.
    fn leave(&mut self) {
        self.listening = false;
        self.must_end = Some(Instant::now() + END_GRACE);
    }

    /// The channel delivers nothing more: without it the worker is useless.
    fn closed(&mut self, closed: Closed) {
        self.leave();
        match closed {
            Closed::End => {}
            Closed::Violation(_) | Closed::Failed(_) => {
                let bytes = self.channel.remains().escape_ascii();
                warn!(worker = self.worker.0, %bytes, "killed the worker: {closed}");
                self.trouble = Some(closed.to_string());
                self.process.kill();
            }
        }
    }

    fn outlived_its_end(&mut self) {
        if self.start_error.is_none() {
            self.trouble.get_or_insert_with(|| "the worker closed its channel and kept running".to_owned());
        }
        self.must_end = Some(Instant::now() + END_GRACE);
        self.process.kill();
    }

    /// A reply that was written in full counts, even if its worker did not live to see it read.
    async fn take_last_frames(&mut self, events: &mpsc::Sender<(WorkerId, Event)>) {
        while self.listening {
            match self.channel.last_frame() {
                Ok(Some(frame)) => match self.event(frame) {
                    Ok(Some(event)) => drop(events.send((self.worker, event)).await),
                    Ok(None) => {}
                    Err(_) => return,
                },
                Ok(None) | Err(_) => return,
            }
        }
    }

    fn end(self) -> Ended {
        let exit = self.process.reap().ok();
        let read = self.channel.inbox().take_read();
        let only = read.first().filter(|_| read.len() == 1).map(|call| call.id);
        let writers = Writers { calls: read, only };
        let by_kernel = exit == Some(Exit::Signal(Signal::KILL.as_raw())) && !self.process.was_killed();
        self.stdout.finish(&writers);
        Ended {
            pid: Some(self.process.pid()),
            read: writers.calls.iter().map(|call| call.id).collect(),
            exit,
            stderr: self.stderr.finish(&writers),
            trouble: self.trouble,
            start_error: self.start_error,
            oom: by_kernel && self.kills.any_since(),
        }
    }
}
