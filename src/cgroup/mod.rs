//! The cgroup (v2) of a pool, which contains the workers and everything they start, whatever they do to their sessions
//! and environments.
//!
//! - `place`: where this machine has cgroups, and which of them is delegated to us
//! - `group`: the pool's own: created, limited, killed, removed

mod group;
mod place;

use std::path::PathBuf;

pub use group::{Group, Unusable};
pub use place::own;

/// The parent of the pool's cgroup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Home {
    /// The cgroup delegated to the server, if there is one.
    Auto,
    /// None: the pool has no cgroup.
    None,
    /// The cgroup with this directory.
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
