//! What starts a worker's process: the one seam behind which there is more than one way.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::boot::{self, Role};
use super::ends::{self, Ours, Theirs};
use super::event::StartError;
use super::log::Log;
use super::memory::OomKills;
use super::orphans::Children;
use super::process::Process;
use super::token::{TOKEN, token};
use crate::call::{StartCall, WorkerId};
use crate::cgroup::Group;

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
}

/// What the processes of a pool have in common.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The real interpreter, no shim.
    pub python: PathBuf,
    /// Directories before Python's own `sys.path`.
    pub python_path: Vec<PathBuf>,
    /// Variables to set or (`None`) to remove.
    pub env: Vec<(String, Option<String>)>,
    /// Working directory.
    pub cd: Option<PathBuf>,
    /// Largest frame on the channel, in bytes.
    pub max_frame: usize,
    /// Longest start.
    pub start_timeout: Duration,
    /// Modules that are imported first.
    pub preload: Vec<String>,
    /// What is called after that: once in a template, or in each worker that is started on its own.
    pub warmup: Option<StartCall>,
    /// What each worker calls before it is ready.
    pub init: Option<StartCall>,
    /// How long a worker stays awake after a call, before it sleeps.
    pub busy_poll: Duration,
    /// A worker with more resident memory, in bytes, asks to be replaced.
    pub max_memory: Option<u64>,
    /// Bytes of data that a worker may allocate.
    pub memory_limit: Option<u64>,
    /// Other limits of what a process may take, by the names of Python's `resource` in small letters.
    pub rlimits: Vec<(String, u64)>,
    /// What they start gets no more rights than they have.
    pub no_new_privs: bool,
    /// What they are all to be in.
    pub cgroup: Option<Arc<Group>>,
    /// Where what they print goes.
    pub log: Log,
    /// What the variables are, in the workers, by which numeric libraries choose their number of threads.
    pub numeric_threads: Vec<(String, Option<String>)>,
}

impl Recipe {
    /// A new Python that is told to become this worker, or a template.
    pub(super) fn command(&self, title: &str, worker: WorkerId) -> Command {
        let mut command = Command::new(&self.python);
        command.args(["-c", boot::STUB, title]).arg(worker.to_string());
        for (name, value) in &self.env {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.env(TOKEN, token(worker));
        if let Some(cd) = &self.cd {
            command.current_dir(cd);
        }
        command
    }
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
        let command = self.recipe.command(boot::WORKER, worker);
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
    command.arg(theirs.pass_on()?.to_string());
    command.stdin(theirs.orders).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (process, mut child) = Process::spawn(&mut command, Some(worker), children)?;
    // The command holds the end for orders.
    drop((command, theirs.answers));
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

#[async_trait]
impl Launcher for SpawnLauncher {
    async fn launch(&self, worker: WorkerId, _generation: u64) -> Result<Launched, NoProcess> {
        Ok(self.spawn(worker)?)
    }
}
