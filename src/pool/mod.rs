//! Who gets which worker when.
//!
//! - `core`: the rules, a pure state machine; `event`: its words
//! - `roster` (the workers), `queue` (the calls that wait), `timers`, `backoff`, `affinity` (whose keys are where), `quarantine`, `random`: its parts
//! - `driver`: feeds the core with what happens and performs what it says; `in_hand`: what it has been asked for
//! - `outcome`: what the caller is told of a call; `stopping`: what is to be said of workers that were killed
//! - `status`: the pool as it stands

mod affinity;
mod backoff;
mod core;
mod driver;
mod event;
mod in_hand;
mod outcome;
mod quarantine;
mod queue;
mod random;
mod roster;
mod status;
mod stopping;
mod timers;

pub use core::{Core, Row, Totals};
pub use driver::{Done, Pool};
pub use event::{Action, Demand, Event, KillCause, Placement, Purpose, Refusal, Run, Settings};
pub use roster::Counts;
pub use status::{LastExit, Status, WorkerStatus};

pub use crate::worker::{Level, Line};
