//! The requests in flight and the granted leases, by the owner's id and by our own number.

use rustc_hash::FxHashMap;

use super::obligation::PendingReply;
use super::words::PortId;
use crate::call::CallId;

/// The table of requests in flight.
#[derive(Debug)]
pub(super) struct InFlight {
    pending: FxHashMap<CallId, PendingReply>,
    /// The ids in use, of requests in flight and of leases.
    ids: FxHashMap<PortId, CallId>,
    leases: FxHashMap<CallId, PortId>,
    next_call: u64,
}

impl InFlight {
    pub(super) fn new() -> Self {
        Self { pending: FxHashMap::default(), ids: FxHashMap::default(), leases: FxHashMap::default(), next_call: 1 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Returns whether no request in flight and no lease has this id.
    pub(super) fn is_free(&self, id: PortId) -> bool {
        !self.ids.contains_key(&id)
    }

    /// Takes on an obligation and gives the request its number. The id must be free.
    pub(super) fn enter(&mut self, pending: PendingReply) -> CallId {
        let number = CallId(self.next_call);
        self.next_call += 1;
        self.ids.insert(pending.id(), number);
        self.pending.insert(number, pending);
        number
    }

    pub(super) fn contains(&self, number: CallId) -> bool {
        self.pending.contains_key(&number)
    }

    /// The number of the request or lease with this id.
    pub(super) fn number(&self, id: PortId) -> Option<CallId> {
        self.ids.get(&id).copied()
    }

    /// The number of the lease with this id.
    pub(super) fn lease(&self, id: PortId) -> Option<CallId> {
        self.number(id).filter(|lease| self.leases.contains_key(lease))
    }

    /// Removes a request that has ended and frees its id.
    pub(super) fn end(&mut self, number: CallId) -> Option<PendingReply> {
        let pending = self.pending.remove(&number)?;
        self.ids.remove(&pending.id());
        Some(pending)
    }

    /// Removes a checkout that was granted; its id now names the lease.
    pub(super) fn grant(&mut self, number: CallId) -> Option<PendingReply> {
        let pending = self.pending.remove(&number)?;
        self.leases.insert(number, pending.id());
        Some(pending)
    }

    /// Removes a lease that has ended and frees its id.
    pub(super) fn end_lease(&mut self, number: CallId) {
        if let Some(id) = self.leases.remove(&number) {
            self.ids.remove(&id);
        }
    }

    /// The numbers of all requests in flight.
    pub(super) fn numbers(&self) -> impl Iterator<Item = CallId> {
        self.pending.keys().copied()
    }

    /// All remaining obligations.
    pub(super) fn into_pending(self) -> impl Iterator<Item = (CallId, PendingReply)> {
        self.pending.into_iter()
    }
}
