//! What starts a worker's process: the one seam behind which there is more than one way.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::boot;
use super::orphans::Children;
use super::process::Process;
use crate::call::WorkerId;

/// A process that was started and has not said hello yet.
pub struct Launched {
    pub(super) process: Arc<Process>,
    /// Our end of its channel.
    pub(super) channel: UnixStream,
    /// What is to be written to it first.
    pub(super) start_order: Bytes,
    pub(super) stdout: Option<OwnedFd>,
    pub(super) stderr: Option<OwnedFd>,
}

/// Starts worker processes. Called on the runtime's thread.
#[async_trait]
pub trait Launcher: Send + Sync {
    /// Starts the process of this worker.
    async fn launch(&self, worker: WorkerId) -> io::Result<Launched>;
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
        let start_order = boot::start_order(&recipe.python_path, recipe.max_frame)?.into();
        Ok(Self { recipe, start_order, children })
    }

    fn command(&self, worker: WorkerId) -> Command {
        let mut command = Command::new(&self.recipe.python);
        command.args(["-c", boot::STUB, boot::TITLE]).arg(worker.to_string());
        for (name, value) in &self.recipe.env {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.env(super::TOKEN, super::token(worker));
        if let Some(cd) = &self.recipe.cd {
            command.current_dir(cd);
        }
        command
    }
}

#[async_trait]
impl Launcher for SpawnLauncher {
    async fn launch(&self, worker: WorkerId) -> io::Result<Launched> {
        let (ours, theirs) = UnixStream::pair()?;
        let mut command = self.command(worker);
        command.stdin(OwnedFd::from(theirs)).stdout(Stdio::piped()).stderr(Stdio::piped());
        let (process, mut child) = Process::spawn(&mut command, Some(worker), &self.children)?;
        // The command holds the worker's end; while that is open here, the worker's death would not end the channel.
        drop(command);
        Ok(Launched {
            process: Arc::new(process),
            channel: ours,
            start_order: self.start_order.clone(),
            stdout: child.stdout.take().map(OwnedFd::from),
            stderr: child.stderr.take().map(OwnedFd::from),
        })
    }
}
