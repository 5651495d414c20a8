//! Starts worker processes: the one interface with more than one implementation.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::boot::{self, Role};
use super::ends::{self, Ours, Theirs};
use super::event::StartError;
use super::log::{Log, ToRead};
use super::memory::OomKills;
use super::orphans::Children;
use super::process::Process;
use super::recipe::Recipe;
use crate::call::WorkerId;

/// A process that was started and has not said hello.
#[derive(Debug)]
pub struct Launched {
    pub(super) process: Arc<Process>,
    /// Our ends of its channel.
    pub(super) channel: Ours,
    /// What to write to it first, if it does not know yet what it is.
    pub(super) start_order: Option<Bytes>,
    pub(super) stdout: Option<OwnedFd>,
    pub(super) stderr: Option<OwnedFd>,
    pub(super) log: Log,
    /// The count before it started.
    pub(super) kills: OomKills,
}

/// Why there is no process.
#[derive(Debug, thiserror::Error)]
pub enum NoProcess {
    /// The operating system's error.
    #[error("python could not be started: {0}")]
    NotStarted(#[from] io::Error),
    /// A template could not become ready, so a worker could not either.
    #[error("{message}", message = .0.message)]
    Failed(StartError),
}

/// Starts worker processes. Called on the runtime's thread.
#[async_trait]
pub trait Launcher: Send + Sync {
    /// Starts the process of this worker. Workers of one generation import the same code, even if it has changed since
    /// the first of them.
    ///
    /// Cancellation: may be dropped at any await; a process that was started is killed.
    async fn launch(&self, worker: WorkerId, generation: u64) -> Result<Launched, NoProcess>;

    /// From now on, only workers of this generation are started: a newer one has proved itself, or has failed to.
    fn settled(&self, _generation: u64) {}

    /// Logs everything printed so far by processes that are not workers, then drops `to_read`.
    fn flush(&self, _to_read: ToRead) {}

    /// No more workers will be started: ends what it keeps for that, in an orderly way.
    async fn close(&self) {}
}

/// Starts each worker as a new Python.
#[derive(Debug)]
pub struct SpawnLauncher {
    recipe: Recipe,
    start_order: Bytes,
    children: Arc<Children>,
}

impl SpawnLauncher {
    /// Reads the sources of the worker side.
    pub fn new(recipe: Recipe, children: Arc<Children>) -> io::Result<Self> {
        let start_order = boot::start_order(&recipe, Role::Worker)?.into();
        Ok(Self { recipe, start_order, children })
    }

    pub(super) fn spawn(&self, worker: WorkerId) -> io::Result<Launched> {
        let command = boot::command(&self.recipe, boot::WORKER, worker);
        let channel = ends::of_worker()?;
        spawn(command, channel, worker, self.start_order.clone(), &self.recipe, &self.children)
    }
}

/// Starts one of our processes with its channel and its log pipes.
pub(super) fn spawn(
    mut command: Command,
    (ours, theirs): (Ours, Theirs),
    worker: WorkerId,
    start_order: Bytes,
    recipe: &Recipe,
    children: &Arc<Children>,
) -> io::Result<Launched> {
    let kills = OomKills::now(recipe.cgroup.as_deref());
    command.args(theirs.pass_on()?.map(|end| end.to_string()));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (process, mut child) =
        Process::spawn(&mut command, Some(worker), children).map_err(|error| culprit(error, recipe))?;
    // While they are open here, the end of the process would not end the channel.
    drop(theirs);
    Ok(Launched {
        process: Arc::new(process),
        channel: ours,
        start_order: Some(start_order),
        stdout: child.stdout.take().map(OwnedFd::from),
        stderr: child.stderr.take().map(OwnedFd::from),
        log: recipe.log.clone(),
        kills,
    })
}

/// Adds what the operating system leaves out: which of the two paths the error is about.
fn culprit(error: io::Error, recipe: &Recipe) -> io::Error {
    // Only those who may enter a directory can find its entry for itself.
    let directory = recipe.cd.as_ref().and_then(|cd| Some((cd, fs::metadata(cd.join(".")).err()?)));
    if let Some((cd, error)) = directory {
        return io::Error::other(format!("its working directory {cd:?} (option cd) cannot be used: {error}"));
    }
    match fs::metadata(&recipe.python) {
        Ok(_) => error,
        Err(error) => io::Error::other(format!("{:?} cannot be used: {error}", recipe.python)),
    }
}

#[async_trait]
impl Launcher for SpawnLauncher {
    async fn launch(&self, worker: WorkerId, _generation: u64) -> Result<Launched, NoProcess> {
        Ok(self.spawn(worker)?)
    }
}
