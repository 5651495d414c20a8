//! Decides which job gets which worker, and when.
//!
//! - `core`: the rules, a pure state machine; `event`: its vocabulary
//! - `roster` (the workers), `queue` (waiting calls), `timers`, `backoff`, `affinity` (keys and their workers),
//!   `quarantine`, `random`: its parts
//! - `driver`: feeds the core with events and performs its actions; `in_hand`: the jobs; `pace`: how long they will
//!   probably take
//! - `outcome`: what a caller is told about a call; `stopping`: what to report about killed workers
//! - `status`: a snapshot of the pool

mod affinity;
mod backoff;
mod core;
mod driver;
mod event;
mod in_hand;
mod outcome;
mod pace;
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
