//! The options of a pool, with their defaults and limits. docs/protocol.md 7.2.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::Duration;

use crate::allow_list::AllowList;
use crate::call::{Failure, Limits, OnCancel, StartCall};
use crate::cgroup::Home;
use crate::codec::Options;

/// The workers that `ready` waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// No worker: the options are valid and Python was found.
    None,
    /// One worker.
    First,
    /// All `size` workers.
    All,
}

/// Which idle worker is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// The most recently used: its caches are warm, and the others can leave.
    Lifo,
    /// The one idle longest.
    Fifo,
}

/// What the server does if a worker fails to start before the pool is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnStartFailure {
    /// Keeps trying.
    Retry,
    /// Refuses the session.
    Fail,
}

/// What the server does when workers keep failing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnCrashLoop {
    /// Keeps trying.
    Retry,
    /// Ends, so that the owner's supervisor decides.
    Exit,
}

/// What the server does at a signal that asks it to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signals {
    /// Nothing: the owner decides.
    Ignore,
    /// Drains the pool and ends.
    Drain,
}

/// Where Python's output and logs go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logs {
    /// To the server's stderr.
    Stderr,
    /// To the owner, in packets.
    Owner,
}

/// The default of `busy_poll`. With a single processor, polling would get in the way of the workers.
pub fn default_busy_poll() -> Duration {
    if processors() > 1 { BUSY_POLL } else { Duration::ZERO }
}

/// Variables to set or (`None`) to remove, in this order.
pub type Environment = Vec<(String, Option<OsString>)>;

/// The options of a pool.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The number of processors this process may use, by affinity and cgroup quota.
    pub processors: usize,
    /// Number of permanent workers; `None`: one per processor.
    pub size: Option<usize>,
    /// Maximum number of workers beyond `size`, while calls wait.
    pub max_overflow: usize,
    /// How long an idle worker beyond `size` stays.
    pub overflow_ttl: Duration,
    /// Which idle worker is next.
    pub strategy: Strategy,
    /// The limits of a call that sets none.
    pub limits: Limits,
    /// What happens to a running call that is cancelled.
    pub on_cancel: OnCancel,
    /// How often an idempotent call is run again after its worker died.
    pub retry: u8,
    /// How many workers a call may kill within ten minutes; 0 means no limit.
    pub quarantine: u32,
    /// Maximum duration of a lease.
    pub lease_timeout: Option<Duration>,
    /// Maximum number of calls per worker.
    pub max_calls: Option<u64>,
    /// The age at which a worker is replaced.
    pub max_age: Option<Duration>,
    /// How long a worker may be idle before it is asked whether it is alive.
    pub idle_check: Option<Duration>,
    /// How long the server polls after an event while calls are in flight; 0 disables polling.
    pub busy_poll: Duration,
    /// Whether short calls are sent to busy workers ahead of their time.
    pub prefetch: bool,
    /// How long running calls may take to finish when the pool is drained.
    pub drain_timeout: Option<Duration>,
    /// What to do at a signal that asks the server to end.
    pub signals: Signals,
    /// What to do if a worker fails to start before the pool is ready.
    pub on_start_failure: OnStartFailure,
    /// What to do when workers keep failing.
    pub on_crash_loop: OnCrashLoop,
    /// The functions that calls may name.
    pub allow: AllowList,
    /// How values are converted in a call that does not say.
    pub values: Options,
    /// Maximum start time of a worker.
    pub start_timeout: Duration,
    /// The workers that `ready` waits for.
    pub wait: Wait,
    /// Maximum number of waiting calls.
    pub max_queue: usize,
    /// Maximum encoded size of all waiting calls, in bytes.
    pub max_queue_bytes: usize,
    /// Maximum size of results on their way to the owner, in bytes.
    pub max_inflight_bytes: usize,
    /// Maximum size of a packet, and of a worker's message, in bytes.
    pub max_frame: usize,
    /// The interpreter: a path, or a name to look up. `None` with a `venv`, which has its own.
    pub python: Option<PathBuf>,
    /// The virtual environment that the interpreter belongs to.
    pub venv: Option<PathBuf>,
    /// Directories put before Python's own `sys.path`.
    pub python_path: Vec<PathBuf>,
    /// Variables to set or (`None`) to remove.
    pub env: Environment,
    /// The workers' working directory.
    pub cd: Option<PathBuf>,
    /// Where Python's output and logs go.
    pub logs: Logs,
    /// Modules to import before a worker is ready.
    pub preload: Vec<String>,
    /// The call to make once after that, before workers are forked.
    pub warmup: Option<StartCall>,
    /// The call that each worker makes before it is ready.
    pub init: Option<StartCall>,
    /// The resident memory, in bytes, beyond which a worker is replaced between calls.
    pub max_memory: Option<u64>,
    /// How many bytes of data a worker may allocate.
    pub memory_limit: Option<u64>,
    /// Other limits of each process: one of `RLIMITS`, and its value.
    pub rlimits: Vec<(String, u64)>,
    /// Whether programs that workers start are kept from gaining privileges.
    pub no_new_privs: bool,
    /// Where the pool's cgroup is created.
    pub cgroup: Home,
    /// How many bytes all workers, and what they start, may use together.
    pub pool_memory_limit: Option<u64>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            processors: processors(),
            size: None,
            max_overflow: 0,
            overflow_ttl: Duration::from_secs(30),
            strategy: Strategy::Lifo,
            limits: Limits {
                checkout_timeout: Some(Duration::from_secs(5)),
                timeout: Some(Duration::from_secs(60)),
                deadline: None,
                grace: Duration::ZERO,
            },
            on_cancel: OnCancel::Kill,
            retry: 0,
            quarantine: 3,
            lease_timeout: Some(Duration::from_secs(60)),
            max_calls: None,
            max_age: None,
            idle_check: None,
            busy_poll: default_busy_poll(),
            prefetch: true,
            drain_timeout: Some(Duration::from_secs(5)),
            on_start_failure: OnStartFailure::Retry,
            signals: Signals::Ignore,
            on_crash_loop: OnCrashLoop::Retry,
            allow: AllowList::default(),
            values: Options::default(),
            start_timeout: Duration::from_secs(30),
            wait: Wait::First,
            max_queue: 1000,
            max_queue_bytes: 256 << 20,
            max_inflight_bytes: 256 << 20,
            max_frame: MAX_FRAME,
            python: None,
            venv: None,
            python_path: Vec::new(),
            env: Vec::new(),
            cd: None,
            logs: Logs::Stderr,
            preload: Vec::new(),
            warmup: None,
            init: None,
            max_memory: None,
            memory_limit: None,
            rlimits: Vec::new(),
            no_new_privs: false,
            cgroup: Home::Auto,
            pool_memory_limit: None,
        }
    }
}

/// The default of `max_frame`, which also applies to the first packet.
pub const MAX_FRAME: usize = 64 << 20;

/// Longer than the server of a busy pool waits for a small call, and longer than a processor takes to wake up.
const BUSY_POLL: Duration = Duration::from_micros(100);

/// The limits that `rlimits` may set: those of setrlimit(2) that Python's `resource` knows, except `data`, which is
/// `memory_limit`.
pub const RLIMITS: [&str; 13] = [
    "as",
    "core",
    "cpu",
    "fsize",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

/// Variables that set the number of threads of numeric libraries.
const NUMERIC_THREADS: [&str; 6] = [
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "BLIS_NUM_THREADS",
];
/// Variables that the BEAM's launcher leaves in the environment of its port programs.
const OF_THE_BEAM: [&str; 4] = ["BINDIR", "ROOTDIR", "EMU", "PROGNAME"];

impl Config {
    /// The size, with `auto` resolved.
    pub fn size(&self) -> usize {
        self.size.unwrap_or(self.processors)
    }

    /// Refuses paths that do not exist, which Python itself would silently ignore.
    pub fn check_paths(&self) -> Result<(), Failure> {
        let named =
            self.python_path.iter().map(|path| ("python_path", path)).chain(self.cd.iter().map(|path| ("cd", path)));
        for (option, path) in named {
            // Only those who may enter a directory can find its entry for itself.
            let entered =
                fs::metadata(path).and_then(|meta| if meta.is_dir() { fs::metadata(path.join(".")) } else { Ok(meta) });
            let problem = match entered {
                Ok(meta) if meta.is_dir() || (option == "python_path" && meta.is_file()) => continue,
                Ok(_) => "is not a directory".to_owned(),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => "does not exist".to_owned(),
                Err(error) => format!("cannot be used: {error}"),
            };
            return Err(Failure::bad_request(format!("option {option}: {path:?} {problem}")).with("option", option));
        }
        Ok(())
    }

    /// The interpreter, unless there is a `venv`: a path, or a name to look up.
    pub fn python(&self) -> &Path {
        self.python.as_deref().unwrap_or_else(|| Path::new("python3"))
    }

    /// The changes to the environment of each worker; the user's settings come last.
    pub fn worker_env(&self) -> Environment {
        let threads = OsString::from((self.processors / self.size()).max(1).to_string());
        let unset = NUMERIC_THREADS.into_iter().filter(|name| env::var_os(name).is_none());
        let numeric = unset.map(|name| (name.to_owned(), Some(threads.clone())));
        let beam = OF_THE_BEAM.into_iter().map(|name| (name.to_owned(), None));
        let activation = self.venv.iter().flat_map(|venv| activation(venv));
        numeric.chain(beam).chain(activation).chain(self.env.iter().cloned()).collect()
    }

    /// The values, in each worker, of the variables for numeric libraries.
    pub fn numeric_threads(&self) -> Environment {
        let changed = self.worker_env();
        let value = |name: &str| match changed.iter().rev().find(|(changed, _)| changed == name) {
            Some((_, value)) => value.clone(),
            None => env::var_os(name),
        };
        NUMERIC_THREADS.into_iter().map(|name| (name.to_owned(), value(name))).collect()
    }
}

/// What the script `activate` of a virtual environment does, so that programs from it are found, too.
fn activation(venv: &Path) -> Environment {
    let own = env::var_os("PATH").filter(|path| !path.is_empty());
    let own = own.iter().flat_map(env::split_paths);
    // A folder with a colon in its name cannot be in PATH.
    let path = env::join_paths(std::iter::once(venv.join("bin")).chain(own)).ok();
    let path = path.map(|path| ("PATH".to_owned(), Some(path)));
    let set = [("VIRTUAL_ENV".to_owned(), Some(venv.as_os_str().to_owned())), ("PYTHONHOME".to_owned(), None)];
    set.into_iter().chain(path).collect()
}

/// The number of processors this process may use.
pub fn processors() -> usize {
    available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numeric_libraries_share_the_processors_among_the_workers() {
        for (processors, size, threads) in
            [(16, Some(4), "4"), (16, Some(5), "3"), (16, None, "1"), (2, Some(8), "1"), (1, None, "1")]
        {
            let config = Config { processors, size, ..Config::default() };
            assert_eq!(config.size(), size.unwrap_or(processors));
            let changes = config.worker_env();
            let unset = NUMERIC_THREADS.into_iter().filter(|name| env::var_os(name).is_none());
            for name in unset {
                assert!(
                    changes.contains(&(name.to_owned(), Some(threads.into()))),
                    "{processors}, {size:?}: {changes:?}"
                );
            }
        }
    }

    #[test]
    fn the_users_word_on_threads_comes_last() {
        let own = ("OMP_NUM_THREADS".to_owned(), Some("7".into()));
        let config = Config { processors: 16, env: vec![own.clone()], ..Config::default() };
        assert!(config.numeric_threads().contains(&own));
    }
}
