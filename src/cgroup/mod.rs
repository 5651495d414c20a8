//! The cgroup (v2) of a pool, which contains the workers and everything they start, whatever they do to their sessions
//! and environments.
//!
//! - `home`: which one is wanted; `place`: where this machine has cgroups, and which of them is delegated to us
//! - `group`: the pool's own: created, limited, killed, removed

mod group;
mod home;
mod place;

pub use group::{Group, Unusable};
pub use home::Home;
pub use place::own;
