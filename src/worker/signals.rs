//! Signals meant for the owner, which reach all processes of a service at once. docs/worker_protocol.md 6.4

use std::io;

use nix::sys::signal::{SigSet, SigmaskHow, Signal};

/// Workers ignore these signals. Twin of `priv/python/portpool/_signals.py`.
const MEANT_FOR_THE_OWNER: [Signal; 4] = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT];

/// Blocks them in this thread while it lives. Until it has its own handlers, a process does not want to be ended by
/// them: a process started in the meantime has them blocked, and so has this one at its start.
#[derive(Debug)]
pub struct Blocked(SigSet);

impl Blocked {
    /// From now on.
    pub fn now() -> io::Result<Self> {
        Ok(Self(SigSet::from_iter(MEANT_FOR_THE_OWNER).thread_swap_mask(SigmaskHow::SIG_BLOCK)?))
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // This fails only for an invalid argument.
        let _ = self.0.thread_set_mask();
    }
}
