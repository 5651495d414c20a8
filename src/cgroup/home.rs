//! The parent of the pool's cgroup.

use std::path::PathBuf;

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
