//! The pipe of a worker in the model: what it was sent, and how far it really is.

use std::collections::VecDeque;
use std::time::Instant;

use portpool::call::CallId;

/// What a worker was sent and has not answered, as far as the core knows, and how far the worker really is.
#[derive(Clone, Debug, Default)]
pub struct Pipe {
    pub sent: VecDeque<CallId>,
    /// How many of these it has read.
    pub read: usize,
    /// How many of these it has answered.
    pub answered: usize,
    /// When the core last heard that it has gone on.
    pub moved: Option<Instant>,
    hasty: bool,
}

impl Pipe {
    /// It reads its next call or answers it; false if there is nothing to do.
    pub fn advance(&mut self) -> bool {
        let reads = self.read == self.answered;
        let can = !reads || self.read < self.sent.len();
        self.read += usize::from(can && reads);
        self.answered += usize::from(can && !reads);
        can
    }

    /// The calls that it has read and not answered.
    pub fn running(&self) -> Vec<CallId> {
        self.sent.iter().take(self.read).skip(self.answered).copied().collect()
    }

    /// Takes out what it has not read. The first one is its call, which stays, unless the worker is hasty: then it reads the
    /// second one while the first is out.
    pub fn take_back(&mut self) -> Vec<CallId> {
        self.hasty = !self.hasty;
        if self.hasty && self.read == 0 && self.sent.len() > 1 {
            let mut taken: Vec<CallId> = self.sent.split_off(2).into();
            taken.insert(0, self.sent.pop_front().unwrap());
            self.read = 1;
            return taken;
        }
        self.sent.split_off(self.read.max(1).min(self.sent.len())).into()
    }
}
