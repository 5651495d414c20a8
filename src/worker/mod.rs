//! Python worker processes: how they are started, talked to, killed and reaped.
//!
//! - `python`: finds the interpreter and proves that it is new enough
//! - `launcher`: starts a process; `boot`: what a new Python is told
//! - `template`: the other launcher, which has workers forked by a process that has imported already
//! - `process`: the only place that starts, signals and reaps workers; `orphans`: the same for what they leave behind
//! - `channel`: frames to and from one worker; `wire`: their headers; `hello`: the first of them
//! - `logs`: what it prints; `memory`: what it takes; `stop`: where Python was when it was killed
//! - `handle`: what the pool asks of a worker; `task`: one worker's life, from launch to reaping; `event`: what the pool hears of it

mod boot;
mod channel;
mod event;
mod handle;
mod hello;
mod launcher;
mod logs;
mod memory;
mod orphans;
mod process;
mod python;
mod stop;
mod task;
mod template;
mod wire;

pub use event::{Ended, Event, Reply, Stacks, StartError, Started, fields};
pub use handle::Handle;
pub use launcher::{Launched, Launcher, NoProcess, Recipe, SpawnLauncher};
pub use orphans::{Children, adopt_orphans, end_all_children};
pub use process::Exit;
pub use python::{Interpreter, NoPython, find_python};
pub use task::start;
pub use template::TemplateLauncher;
pub use wire::FromWorker;

use crate::call::WorkerId;

/// The variable that marks all processes of a worker, its children too: the server's pid and the worker's number.
const TOKEN: &str = "PORTPOOL_WORKER";

/// The number has the same width in all, because a forked worker overwrites it in place.
fn token(worker: WorkerId) -> String {
    format!("{}.{:020}", std::process::id(), worker.0)
}
