//! The maps of options in requests: docs/protocol.md 7.
//!
//! - `pool`: in `hello`; `call`: in calls, checkouts, checkins and drains
//! - `each`: reads the options in a map; `given`: one option, and the types of options

mod call;
mod each;
mod given;
mod pool;

pub(super) use call::{CallOptions, read_call, read_checkin, read_checkout, read_drain};
pub(super) use pool::MAX_WORKERS;
pub use pool::{Hello, read_hello};
