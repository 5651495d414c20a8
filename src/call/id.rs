//! Identities: the numbers of calls and workers, and the names of functions.

use std::fmt;
use std::sync::Arc;

/// The server's own number of a call, ascending and never reused. The id that the owner chose is its `PortId`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallId(pub u64);

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The number of a worker, ascending and never reused, so that it also tells one incarnation from the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkerId(pub u64);

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The name of a function: `auto_stacking:optimize`. The arguments travel encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mfa {
    /// The module, dotted if it is in a package.
    pub module: Arc<str>,
    /// The function, dotted if it is an attribute of an object in the module.
    pub function: Arc<str>,
}

impl fmt::Display for Mfa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.module, self.function)
    }
}
