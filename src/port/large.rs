//! What counts as large, and is left to helper threads.

use crate::codec::etf;

/// Helper threads process packets and replies larger than this, as they come or as what they become.
pub(super) const LARGE: usize = 256 << 10;

/// The size of a packet once it has been inflated.
pub(super) fn size(packet: &[u8], max_frame: usize) -> usize {
    packet.len().max(etf::opened_size(packet, max_frame))
}
