//! The values that flow through every room: a call, its limits, its outcome.
//!
//! - `id`: numbers and names; `limits`: what a call may take and where it runs; `call`: what is asked for
//! - `outcome`: what comes of it; `failure`: why nothing does

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
