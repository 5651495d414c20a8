//! The obligation to reply: a value that is consumed exactly once.

use super::words::{Answer, PortId, Reply};
use crate::allowance::Share;
use crate::call::{Blame, Failure, Phase, Reason};
use crate::outbox::Outbox;

/// The obligation to reply to one request. If it is dropped without a reply, which would be a bug, it sends one anyway.
#[must_use]
#[derive(Debug)]
pub(super) struct PendingReply {
    id: PortId,
    replies: Option<Outbox<Reply>>,
}

impl PendingReply {
    pub(super) fn new(id: PortId, replies: Outbox<Reply>) -> Self {
        Self { id, replies: Some(replies) }
    }

    /// The id of the request.
    pub(super) fn id(&self) -> PortId {
        self.id
    }

    pub(super) fn answer(mut self, answer: Answer, share: Share) {
        self.send(answer, share);
    }

    fn send(&mut self, answer: Answer, share: Share) {
        if let Some(replies) = self.replies.take() {
            replies.put(Reply::To(self.id, answer, share));
        }
    }
}

impl Drop for PendingReply {
    fn drop(&mut self) {
        let lost = "the server lost this call: a defect, please report it";
        let failure = Failure::new(Reason::Internal, Phase::Call, Blame::Server, lost);
        self.send(Answer::Failure(failure), Share::none());
    }
}
