//! Signals that are meant for the owner and hit all processes of a service at once. docs/worker_protocol.md 6.4

use std::io;

use nix::sys::signal::{SigSet, SigmaskHow, Signal};

/// A worker takes no notice of these. Twin of `priv/python/portpool/_signals.py`.
const MEANT_FOR_THE_OWNER: [Signal; 4] = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT];

/// Blocks them in this thread for as long as it lives. A process that is started meanwhile has them blocked until it has handlers of
/// its own, so that none can end it before.
#[derive(Debug)]
pub(super) struct Blocked(SigSet);

impl Blocked {
    pub(super) fn now() -> io::Result<Self> {
        Ok(Self(SigSet::from_iter(MEANT_FOR_THE_OWNER).thread_swap_mask(SigmaskHow::SIG_BLOCK)?))
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // It fails for a wrong argument only.
        let _ = self.0.thread_set_mask();
    }
}
