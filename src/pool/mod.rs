//! Who gets which worker when.
//!
//! - `core`: the rules, a pure state machine; `event`: its words; `queue`, `timers`, `backoff`: its parts
//! - `driver`: feeds the core with what happens and performs what it says
//! - `outcome`: what the caller is told of a call that has no result
//! - `status`: the pool as it stands

mod backoff;
mod core;
mod driver;
mod event;
mod outcome;
mod queue;
mod status;
mod timers;

pub use core::{Core, Counts};
pub use driver::Pool;
pub use event::{Action, Event, KillCause, Refusal, Settings};
pub use status::{Status, WorkerStatus};
