//! Python worker processes: how they are started, talked to, killed and reaped.
//!
//! - `python`: finds the interpreter and proves that it is new enough
//! - `launcher`: starts a process; `boot`: what a new Python is told
//! - `process`: the only place that starts, signals and reaps workers; `orphans`: the same for what they leave behind
//! - `channel`: frames to and from one worker; `wire`: their headers
//! - `logs`: what it prints
//! - `task`: one worker's life, from launch to reaping; `event`: what the pool hears of it

mod boot;
mod channel;
mod event;
mod launcher;
mod logs;
mod orphans;
mod process;
mod python;
mod task;
mod wire;

pub use event::{Ended, Event, Reply, Started};
pub use launcher::{Launched, Launcher, Recipe, SpawnLauncher};
pub use orphans::{Children, adopt_orphans, end_all_children};
pub use process::Exit;
pub use python::{Interpreter, NoPython, find_python};
pub use task::{Handle, start};
pub use wire::FromWorker;

use crate::call::WorkerId;

/// The variable that marks all processes of a worker, its children too: the server's pid and the worker's number.
const TOKEN: &str = "PORTPOOL_WORKER";

fn token(worker: WorkerId) -> String {
    format!("{}.{worker}", std::process::id())
}
