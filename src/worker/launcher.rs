//! What starts a worker's process: the one seam behind which there is more than one way.

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

/// A process that was started and has not said hello yet.
#[derive(Debug)]
pub struct Launched {
    pub(super) process: Arc<Process>,
    /// Our ends of its channel.
    pub(super) channel: Ours,
    /// What is to be written to it first, if it has not been told what it is.
    pub(super) start_order: Option<Bytes>,
    pub(super) stdout: Option<OwnedFd>,
    pub(super) stderr: Option<OwnedFd>,
    pub(super) log: Log,
    /// The count as it was before it started.
    pub(super) kills: OomKills,
}

/// Why there is no process.
#[derive(Debug, thiserror::Error)]
pub enum NoProcess {
    /// The operating system's word.
    #[error("python could not be started: {0}")]
    NotStarted(#[from] io::Error),
    /// A template could not get ready, and a worker could not either.
    #[error("{message}", message = .0.message)]
    Failed(StartError),
}

/// Starts worker processes. Called on the runtime's thread.
#[async_trait]
pub trait Launcher: Send + Sync {
    /// Starts the process of this worker. Workers of one generation import the same code, also if it has changed since the first of them.
    ///
    /// Cancellation: may be dropped at any await; a process that was started is killed.
    async fn launch(&self, worker: WorkerId, generation: u64) -> Result<Launched, NoProcess>;

    /// From now on workers of this generation alone are asked for: a newer one has proved itself, or has failed to.
    fn settled(&self, _generation: u64) {}

    /// Has all logged that has been printed until now by processes which are no workers, and then lets go of this.
    fn flush(&self, _to_read: ToRead) {}

    /// No worker is asked for any more: what it keeps for that ends in good order.
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

/// Starts a process of ours with its channel and its log pipes.
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
    // While they are open here, its end would not end the channel.
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

/// Names what the operating system leaves out: which of the two paths it is about.
fn culprit(error: io::Error, recipe: &Recipe) -> io::Error {
    // Its entry for itself can be found only by those who may enter the directory.
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
