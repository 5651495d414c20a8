//! Turns options into a pool that starts its workers.

use std::io;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::allowance::Allowance;
use crate::call::{Blame, Failure, Phase, Reason};
use crate::cgroup::{Group, Unusable};
use crate::config::{Config, Environment, Logs};
use crate::pool::{Pool, Settings};
use crate::relay::Relay;
use crate::worker::{
    self, Children, Interpreter, Launcher, Log, NoPython, NoVenv, OwnVenv, Recipe, SpawnLauncher, TemplateLauncher,
    Venv,
};

/// A pool and its surroundings.
#[derive(Debug)]
pub struct Opened {
    /// The pool, whose workers are starting.
    pub pool: Pool,
    /// The interpreter of the workers.
    pub python: Interpreter,
    /// The cgroup of the workers. It must be removed when the server ends.
    pub cgroup: Option<Arc<Group>>,
}

/// Finds Python, checks its version, and opens the pool. Warnings go to the pool's log, too.
///
/// Cancellation: may be dropped at its await; nothing exists yet.
pub async fn open(config: &Config, relay: &Relay) -> Result<Opened, Failure> {
    config.check_paths()?;
    let (config, is_own) = &with_own_venv(config);
    let (log, lines) = match config.logs {
        Logs::Stderr => Log::stderr(),
        Logs::Owner => Log::owner(),
    };
    relay.connect(log.clone());
    let children = Arc::new(Children::default());
    worker::adopt_orphans(Arc::clone(&children))
        .map_err(|error| internal(format!("cannot watch child processes: {error}")))?;
    let env = config.worker_env();
    let python = find_python(config, &env, &children)
        .await
        .map_err(|failure| if *is_own { of_own(failure) } else { failure })?;
    let cgroup =
        Group::make(&config.cgroup, config.pool_memory_limit).map_err(|error| no_cgroup(&error))?.map(Arc::new);
    let recipe = Recipe {
        python: python.program.clone(),
        venv: config.venv.is_some().then(|| python.clone()),
        python_path: config.python_path.clone(),
        env,
        cd: config.cd.clone(),
        max_frame: config.max_frame,
        start_timeout: config.start_timeout,
        preload: config.preload.clone(),
        warmup: config.warmup.clone(),
        init: config.init.clone(),
        busy_poll: config.busy_poll,
        max_memory: config.max_memory,
        memory_limit: config.memory_limit,
        rlimits: config.rlimits.clone(),
        no_new_privs: config.no_new_privs,
        cgroup: cgroup.clone(),
        log,
        numeric_threads: config.numeric_threads(),
    };
    let launcher = launcher(recipe, children).map_err(|error| {
        let _ = cgroup.as_ref().map(|group| group.remove());
        internal(format!("cannot read the worker's sources: {error}"))
    })?;
    let allowance = Allowance::new(config.max_inflight_bytes);
    let pool = Pool::new(settings(config), launcher, lines, config.max_frame, allowance);
    Ok(Opened { pool, python, cgroup })
}

/// The options, and whether they name an interpreter only because the program is in an environment: docs/protocol.md 8.13.
fn with_own_venv(config: &Config) -> (Config, bool) {
    let mut config = config.clone();
    if config.python.is_some() || config.venv.is_some() {
        return (config, false);
    }
    let own = worker::own_venv();
    let is_own = own.is_some();
    match own {
        Some(OwnVenv::Venv(dir)) => config.venv = Some(dir),
        Some(OwnVenv::Conda(python)) => config.python = Some(python),
        None => {}
    }
    (config, is_own)
}

/// Says why an interpreter was used that no option names.
fn of_own(failure: Failure) -> Failure {
    let (_, problem) = failure.message.split_once(": ").unwrap_or(("", &failure.message));
    let message = format!(
        "portpool uses the Python of the environment that it is installed in, unless an option names another: {problem}"
    );
    Failure { message, ..failure }
}

/// Finds the interpreter. That of a virtual environment must be the one that the environment was made with.
///
/// Cancellation: may be dropped at its await.
async fn find_python(config: &Config, env: &Environment, children: &Arc<Children>) -> Result<Interpreter, Failure> {
    let venv = config.venv.as_deref().map(Venv::open).transpose().map_err(|error| no_venv(&error))?;
    let python = venv.as_ref().map_or(config.python(), |venv| &venv.python);
    let found = worker::find_python(python, env, config.start_timeout, children).await;
    match (venv, found) {
        (None, found) => found.map_err(|error| refused("python", &error)),
        (Some(venv), Ok(found)) => venv.check(&found).map(|()| found).map_err(|error| no_venv(&error)),
        (Some(venv), Err(error)) => Err(venv.why_not_run().map_or(refused("venv", &error), |why| no_venv(&why))),
    }
}

/// If there is something to do once for all workers, they are forked from a process that has done it.
fn launcher(recipe: Recipe, children: Arc<Children>) -> io::Result<Arc<dyn Launcher>> {
    if recipe.preload.is_empty() && recipe.warmup.is_none() {
        return Ok(Arc::new(SpawnLauncher::new(recipe, children)?));
    }
    Ok(Arc::new(TemplateLauncher::new(recipe, children)?))
}

fn settings(config: &Config) -> Settings {
    Settings {
        size: config.size(),
        max_overflow: config.max_overflow,
        overflow_ttl: config.overflow_ttl,
        strategy: config.strategy,
        start_timeout: config.start_timeout,
        max_starting: config.processors,
        max_queue: config.max_queue,
        max_queue_bytes: config.max_queue_bytes,
        max_calls: config.max_calls,
        max_age: config.max_age,
        idle_check: config.idle_check,
        quarantine: config.quarantine,
        prefetch: prefetch(config),
        seed: seed(),
    }
}

/// How many workers are kept awake before short calls go behind others: one processor is left to the owner and the server.
fn prefetch(config: &Config) -> Option<usize> {
    (config.prefetch && worker::can_take_back()).then(|| config.processors.saturating_sub(1).max(1))
}

/// A seed that differs between servers started at the same time.
fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
    (u64::from(std::process::id()) << 32) | u64::from(now)
}

fn refused(option: &str, error: &NoPython) -> Failure {
    Failure::bad_request(format!("option {option}: {error}")).with("option", option)
}

fn no_venv(error: &NoVenv) -> Failure {
    Failure::bad_request(format!("option venv: {error}")).with("option", "venv")
}

fn no_cgroup(error: &Unusable) -> Failure {
    let option = match error {
        Unusable::Home(_) => "cgroup",
        Unusable::MemoryLimit(_) => "pool_memory_limit",
    };
    Failure::bad_request(format!("option {option}: {error}")).with("option", option)
}

fn internal(message: String) -> Failure {
    Failure::new(Reason::Internal, Phase::Start, Blame::Server, message)
}
