//! What the processes of a pool share.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::log::Log;
use super::python::Interpreter;
use crate::call::StartCall;
use crate::cgroup::Group;

/// What the processes of a pool share.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// What to start: an interpreter, or a script that becomes one.
    pub python: PathBuf,
    /// The interpreter of the pool's virtual environment. It must still be there when a process starts.
    pub venv: Option<Interpreter>,
    /// Directories put before Python's own `sys.path`.
    pub python_path: Vec<PathBuf>,
    /// Variables to set or (`None`) to remove.
    pub env: Vec<(String, Option<OsString>)>,
    /// Working directory.
    pub cd: Option<PathBuf>,
    /// Maximum size of a frame on the channel, in bytes.
    pub max_frame: usize,
    /// Maximum start time.
    pub start_timeout: Duration,
    /// Modules to import first.
    pub preload: Vec<String>,
    /// The call to make after that: once in a template, or in each worker that is started on its own.
    pub warmup: Option<StartCall>,
    /// The call that each worker makes before it is ready.
    pub init: Option<StartCall>,
    /// How long a worker polls after a call before it sleeps.
    pub busy_poll: Duration,
    /// A worker with more resident memory, in bytes, asks to be replaced.
    pub max_memory: Option<u64>,
    /// How many bytes of data a worker may allocate.
    pub memory_limit: Option<u64>,
    /// Other process limits, by the lower-case names of Python's `resource`.
    pub rlimits: Vec<(String, u64)>,
    /// Whether what they start is kept from gaining privileges.
    pub no_new_privs: bool,
    /// The cgroup that they are all in.
    pub cgroup: Option<Arc<Group>>,
    /// The destination of what they print.
    pub log: Log,
    /// The values, in workers, of the variables that set the number of threads of numeric libraries.
    pub numeric_threads: Vec<(String, Option<OsString>)>,
}
