//! What the processes of a pool have in common.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::log::Log;
use crate::call::StartCall;
use crate::cgroup::Group;

/// What the processes of a pool have in common.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// What is started: an interpreter, or a script that becomes one.
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
