//! The process of a template: its first frame, then one fork after the other. docs/worker_protocol.md 5.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::pipe::{PipeFlags, pipe_with};
use serde_json::{Map, Value};
use tokio::time::timeout;
use tracing::warn;

use crate::call::WorkerId;
use crate::worker::channel::{Channel, Frame};
use crate::worker::ends::{self, Closed};
use crate::worker::event::{Stacks, StartError, fields};
use crate::worker::hello;
use crate::worker::last_lines::last_words;
use crate::worker::launcher::Launched;
use crate::worker::line::Writers;
use crate::worker::log::Log;
use crate::worker::logs::LogPipe;
use crate::worker::memory::OomKills;
use crate::worker::orphans::Children;
use crate::worker::process::Process;
use crate::worker::stop::{self, END_GRACE};
use crate::worker::wire::FromWorker;

/// The number of templates in the log: no worker has it.
const NUMBER: WorkerId = WorkerId(0);
/// How long a fork may take: a thousand times what it does take.
pub(super) const FORK_LIMIT: Duration = Duration::from_secs(5);
/// How long it has to report where its import hangs: only a worker whose start has failed waits for that.
const DUMP_LIMIT: Duration = Duration::from_millis(200);
/// How long it may take to end when it is no longer wanted.
const LEAVE_LIMIT: Duration = Duration::from_secs(1);

/// Why a template forks no more.
#[derive(Clone, Debug)]
pub(super) enum Ending {
    /// What is imported or called for all workers has raised, or does not end: a worker started on its own could not
    /// become ready either.
    Failed(StartError),
    /// What it has imported makes it impossible to fork.
    Unfit(String),
    /// It died, or did not do what it was asked.
    Broken(String),
}

/// The process of a template.
#[derive(Debug)]
pub(super) struct TemplateProcess {
    process: Arc<Process>,
    channel: Channel,
    stdout: LogPipe,
    stderr: LogPipe,
    log: Log,
    kills: OomKills,
    children: Arc<Children>,
    /// How long a fork may take.
    fork_limit: Duration,
}

impl TemplateProcess {
    pub(super) fn new(
        launched: Launched,
        children: Arc<Children>,
        max_frame: usize,
        fork_limit: Duration,
    ) -> io::Result<Self> {
        Ok(Self {
            process: launched.process,
            channel: Channel::open(launched.channel, launched.start_order, max_frame, None)?,
            stdout: LogPipe::stdout(launched.stdout, NUMBER, &launched.log)?,
            stderr: LogPipe::stderr(launched.stderr, NUMBER, &launched.log)?,
            log: launched.log,
            kills: launched.kills,
            children,
            fork_limit,
        })
    }

    /// Waits until it has imported everything.
    ///
    /// Cancellation: may be dropped at any await.
    pub(super) async fn ready(&mut self) -> Result<(), Ending> {
        let Frame { kind, body, .. } = self.frame().await.map_err(Ending::Broken)?;
        match kind {
            FromWorker::Hello => hello::read(&body).map(drop).map_err(Ending::Broken),
            FromWorker::Failed => Err(Ending::Failed(StartError::read(&body))),
            FromWorker::Unfit => Err(Ending::Unfit(fields(&body).0)),
            other => Err(Ending::Broken(format!("it sent {other:?} before it was ready"))),
        }
    }

    /// It has not become ready within this time.
    pub(super) async fn is_too_slow(&self, limit: Duration) -> Ending {
        let message =
            format!("preload and warmup did not finish within {} ms (nine tenths of start_timeout)", limit.as_millis());
        let mut detail = Map::new();
        if let Stacks::Dumped(text) = stop::dump_and_kill(&self.process, DUMP_LIMIT).await {
            detail.insert("traceback".to_owned(), Value::String(text));
        }
        Ending::Failed(StartError { message, detail })
    }

    /// Lets it fork, and takes the worker over.
    ///
    /// Cancellation: must not be dropped, or the answer would be taken for that to the next fork.
    pub(super) async fn fork(&mut self, worker: WorkerId) -> Result<Launched, String> {
        // Until it is registered, the new process is an unknown child.
        let forking = self.children.forking();
        let kills = self.kills.recounted();
        let (ours, theirs) = ends::of_worker().map_err(cannot_ask)?;
        let (stdout, its_stdout) = pipe_with(PipeFlags::CLOEXEC).map_err(cannot_ask)?;
        let (stderr, its_stderr) = pipe_with(PipeFlags::CLOEXEC).map_err(cannot_ask)?;
        let descriptors = [theirs.orders.as_fd(), theirs.answers.as_fd(), its_stdout.as_fd(), its_stderr.as_fd()];
        self.channel.inbox().fork(worker, descriptors).map_err(cannot_ask)?;
        // While they are open here, the worker's death would not end them.
        drop((theirs, its_stdout, its_stderr));
        let frame = timeout(self.fork_limit, self.frame()).await;
        let frame = frame.map_err(|_| format!("it did not fork within {} ms", self.fork_limit.as_millis()))??;
        let pid = forked(&frame, worker)?;
        let process = Process::adopt(pid, worker, &self.children)
            .map_err(|error| format!("process {pid}, which it forked, cannot be taken over: {error}"))?;
        drop(forking);
        let (process, stdout, stderr) = (Arc::new(process), Some(stdout), Some(stderr));
        Ok(Launched { process, channel: ours, start_order: None, stdout, stderr, log: self.log.clone(), kills })
    }

    /// Waits for what must not happen while it is not asked anything: a frame, or its end.
    ///
    /// Cancellation: may be dropped at any await.
    pub(super) async fn trouble(&mut self) -> String {
        match self.frame().await {
            Ok(frame) => format!("it sent {:?} without being asked", frame.kind),
            Err(trouble) => trouble,
        }
    }

    /// Logs everything that it has printed so far.
    pub(super) fn flush(&mut self) {
        self.stdout.flush(None);
        self.stderr.flush(None);
    }

    /// Lets it end by itself, with its exit handlers, if that takes no longer than a worker may take.
    ///
    /// Cancellation: may be dropped at any await.
    pub(super) async fn leave(&mut self) {
        self.channel.inbox().close();
        let end = async {
            loop {
                tokio::select! {
                    biased;
                    _ = self.process.ended() => break,
                    () = self.stdout.pump(None) => {}
                    () = self.stderr.pump(None) => {}
                }
            }
        };
        if timeout(LEAVE_LIMIT, end).await.is_err() {
            warn!("killed the template, which did not end within {} ms", LEAVE_LIMIT.as_millis());
        }
    }

    /// Kills it and returns its last words on stderr.
    pub(super) fn end(self) -> Option<String> {
        self.process.kill();
        self.stdout.finish(&Writers::default());
        last_words(&self.stderr.finish(&Writers::default())).map(str::to_owned)
    }

    /// The next frame, while its output is logged; or why there will be none.
    async fn frame(&mut self) -> Result<Frame, String> {
        loop {
            tokio::select! {
                biased;
                frame = self.channel.frame() => match frame {
                    Ok(frame) => return Ok(frame),
                    Err(closed) => return Err(self.closed(closed).await),
                },
                _ = self.process.ended() => {
                    let last = self.channel.last_frame().ok().flatten();
                    return last.ok_or_else(|| self.how_it_ended());
                }
                () = self.stdout.pump(None) => {}
                () = self.stderr.pump(None) => {}
            }
        }
    }

    /// A process whose channel has ended is usually about to end.
    async fn closed(&self, closed: Closed) -> String {
        match timeout(END_GRACE, self.process.ended()).await {
            Ok(_) => self.how_it_ended(),
            Err(_) => closed.to_string(),
        }
    }

    fn how_it_ended(&self) -> String {
        let exit = self.process.reap();
        format!("it died: {}", exit.map_or_else(|error| error.to_string(), |exit| exit.to_string()))
    }
}

fn cannot_ask(error: impl Into<io::Error>) -> String {
    format!("it could not be asked to fork: {}", error.into())
}

/// The pid in the answer to a fork.
fn forked(frame: &Frame, worker: WorkerId) -> Result<u32, String> {
    let (message, fields) = fields(&frame.body);
    let pid = fields.get("pid").and_then(Value::as_u64).and_then(|pid| u32::try_from(pid).ok());
    match (frame.kind, pid) {
        (FromWorker::Forked, Some(pid)) if frame.call.0 == worker.0 => Ok(pid),
        (FromWorker::Unfit, _) => Err(message),
        (kind, _) => Err(format!("it answered a fork of worker {worker} with {kind:?} for {}", frame.call)),
    }
}
