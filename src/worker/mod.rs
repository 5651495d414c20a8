//! Python worker processes: how they are started, used, killed and reaped.
//!
//! - `python`: finds the interpreter and checks its version; `venv`: whether it is the one that a venv was made with;
//!   `own_venv`: the environment that the program is in
//! - `launcher`: starts a process; `recipe`: what all processes of a pool share; `boot`: the start order
//! - `template`: the other launcher, which forks workers from a process that has already imported everything
//! - `process`: the only place that starts, signals and reaps workers; `orphans`: the same for what they leave behind;
//!   `tracker`: gives Python's resource tracker its time; `family`: descendants; `survivors`: what a dead server leaves
//!   behind; `token`: how these processes are recognised; `pidfd`: how their end is seen
//! - `signals`: blocks signals that a new process must not see, and that must not end this one before it has handlers
//! - `channel`: frames from a worker; `inbox`: frames to it; `back`: takes frames back; `ends`: the pipes; `wire`: the
//!   headers; `hello`: the first frame; `installed`: another package than the one that it uses
//! - `logs`: what it prints; `line`: one line of it; `last_lines`: the last ones; `log`: its destination; `memory`: its
//!   size; `stop`: interrupts, and where Python was when it was killed
//! - `handle`: what the pool asks of a worker; `task`: the life of a worker, from launch to reaping; `event`: what the
//!   pool hears of it

mod back;
mod boot;
mod channel;
mod ends;
mod event;
mod family;
mod handle;
mod hello;
mod inbox;
mod installed;
mod last_lines;
mod launcher;
mod line;
mod log;
mod logs;
mod memory;
mod orphans;
mod own_venv;
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
mod venv;
mod wire;

pub use back::can_take_back;
pub use event::{Ended, Event, Replacement, Reply, Stacks, StartError, Started, fields};
pub use handle::Handle;
pub use installed::{Installed, other_version};
pub use launcher::{Launched, Launcher, NoProcess, SpawnLauncher};
pub use line::{Level, Line};
pub use log::{AllRead, Lines, Log, ToRead, to_read};
pub use memory::share_of_memory;
pub use orphans::{Children, adopt_orphans, await_trackers, end_all_children};
pub use own_venv::{OwnVenv, own_venv};
pub use process::Exit;
pub use python::{Interpreter, NoPython, find_python};
pub use recipe::Recipe;
pub use signals::Blocked;
pub use survivors::kill_survivors;
pub use task::start;
pub use template::TemplateLauncher;
pub use venv::{NoVenv, Venv};
pub use wire::FromWorker;
