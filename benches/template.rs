//! How fast workers start, and how much memory eight of them take, with and without a template.
//!
//! `cargo bench --bench template -- numpy pandas`, with `PORTPOOL_TEST_PYTHON` naming an interpreter that has them.
//! Without names, a few modules of the standard library are imported.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::panic,
    reason = "a benchmark stops at the first surprise and prints"
)]
#![allow(missing_docs, reason = "nobody reads this from outside")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use portpool::allowance::Allowance;
use portpool::call::WorkerId;
use portpool::worker::{self, Children, Event, Handle, Launcher, Log, Recipe, SpawnLauncher, TemplateLauncher};
use tokio::sync::mpsc;

const WORKERS: u64 = 8;
const MAX_FRAME: usize = 1 << 20;

fn recipe(preload: Vec<String>) -> Recipe {
    Recipe {
        python: PathBuf::from(std::env::var("PORTPOOL_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned())),
        venv: None,
        python_path: Vec::new(),
        env: Vec::new(),
        cd: None,
        max_frame: MAX_FRAME,
        start_timeout: Duration::from_secs(60),
        preload,
        warmup: None,
        init: None,
        busy_poll: Duration::ZERO,
        max_memory: None,
        memory_limit: None,
        rlimits: Vec::new(),
        no_new_privs: false,
        cgroup: None,
        log: Log::Stderr,
        numeric_threads: vec![("OPENBLAS_NUM_THREADS".to_owned(), Some("1".into()))],
    }
}

/// Starts a worker and waits until it is ready.
async fn ready(number: u64, launcher: &Arc<dyn Launcher>) -> (Handle, Duration) {
    let start = Instant::now();
    let (sender, mut events) = mpsc::channel(16);
    let handle = worker::start(WorkerId(number), 1, Arc::clone(launcher), MAX_FRAME, Allowance::new(MAX_FRAME), sender);
    match events.recv().await.unwrap().1 {
        Event::Started(_) => (handle, start.elapsed()),
        other => panic!("not ready: {other:?}"),
    }
}

async fn measure(name: &str, launcher: Arc<dyn Launcher>) {
    let (first, to_first) = ready(1, &launcher).await;
    let (mut handles, mut times) = (vec![first], Vec::new());
    for number in 2..=WORKERS {
        let (handle, time) = ready(number, &launcher).await;
        handles.push(handle);
        times.push(time);
    }
    times.sort();
    let memory: u64 = handles.iter().filter_map(Handle::pid).filter_map(worker::share_of_memory).sum();
    println!(
        "{name:9} first {:7.1} ms   next {:6.1} ms (median)   {WORKERS} workers {:6.0} MB (Pss)",
        to_first.as_secs_f64() * 1e3,
        times[times.len() / 2].as_secs_f64() * 1e3,
        memory as f64 / 1e6,
    );
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let named: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let usual = || ["asyncio", "json", "sqlite3", "http.client"].map(str::to_owned).to_vec();
    let modules = if named.is_empty() { usual() } else { named };
    println!("preload: {}", modules.join(", "));
    let children = Arc::new(Children::default());
    worker::adopt_orphans(Arc::clone(&children)).unwrap();
    let spawn = SpawnLauncher::new(recipe(modules.clone()), Arc::clone(&children)).unwrap();
    measure("spawned", Arc::new(spawn)).await;
    let template = TemplateLauncher::new(recipe(modules), children).unwrap();
    measure("forked", Arc::new(template)).await;
}
