//! The cgroup (v2) of a pool: workers and all that they start are in it, whatever they do to their sessions and environments.
//!
//! - `place`: where this machine has cgroups, and which of them has been delegated to us
//! - `group`: the pool's own: made, bounded, killed, removed

mod group;
mod place;

use std::path::PathBuf;

pub use group::{Group, Unusable};
pub use place::own;

/// The cgroup in which that of the pool is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Home {
    /// The one that has been delegated to the server, if there is one.
    Auto,
    /// None is made.
    None,
    /// This one: the path of its directory.
    At(PathBuf),
}

impl From<&str> for Home {
    fn from(text: &str) -> Self {
        match text {
            "auto" => Self::Auto,
            "none" => Self::None,
            path => Self::At(path.into()),
        }
    }
}
