//! Python worker processes: how they are started, talked to, killed and reaped.
//!
//! - `python`: finds the interpreter and proves that it is new enough
//! - `launcher`: starts a process; `recipe`: what all of them have in common; `boot`: what a new Python is told
//! - `template`: the other launcher, which has workers forked by a process that has imported already
//! - `process`: the only place that starts, signals and reaps workers; `orphans`: the same for what they leave behind;
//!   `tracker`: Python's, which is not killed at once; `family`: who descends from whom;
//!   `survivors`: for what a dead server leaves behind; `token`: how all of these are known; `pidfd`: how their end is seen
//! - `signals`: those that a new process must not see
//! - `channel`: frames from one worker; `inbox`: frames to it; `ends`: the pipes; `wire`: the headers; `hello`: the first of them
//! - `logs`: what it prints; `line`: a line of that; `log`: where it goes; `memory`: what it takes; `stop`: where Python was when it was killed
//! - `handle`: what the pool asks of a worker; `task`: one worker's life, from launch to reaping; `event`: what the pool hears of it

mod boot;
mod channel;
mod ends;
mod event;
mod family;
mod handle;
mod hello;
mod inbox;
mod launcher;
mod line;
mod log;
mod logs;
mod memory;
mod orphans;
mod pidfd;
mod process;
mod python;
mod recipe;
mod signals;
mod stop;
mod survivors;
mod task;
mod template;
mod token;
mod tracker;
mod wire;

pub use event::{Ended, Event, Replacement, Reply, Stacks, StartError, Started, fields};
pub use handle::Handle;
pub use launcher::{Launched, Launcher, NoProcess, SpawnLauncher};
pub use line::{Level, Line};
pub use log::{AllRead, Lines, Log, ToRead, to_read};
pub use memory::share_of_memory;
pub use orphans::{Children, adopt_orphans, await_trackers, end_all_children};
pub use process::Exit;
pub use python::{Interpreter, NoPython, find_python};
pub use recipe::Recipe;
pub use survivors::kill_survivors;
pub use task::start;
pub use template::TemplateLauncher;
pub use wire::FromWorker;
