//! The values that pass through every room: a call, its limits, its outcome.
//!
//! - `id`: numbers and names; `limits`: how long a call may take and where it runs; `call`: what is requested
//! - `outcome`: what it results in; `failure`: why it failed

#[expect(clippy::module_inception, reason = "a call is one of the values of this room")]
mod call;
mod failure;
mod id;
mod limits;
mod outcome;

pub use call::{Body, Call, Checkout, StartCall};
pub use failure::{Blame, Failure, Phase, Reason};
pub use id::{CallId, Mfa, WorkerId};
pub use limits::{Limits, OnCancel, Policy, Target};
pub use outcome::{Form, Meta, Outcome, Returned, Success};
