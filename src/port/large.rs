//! What is too large for the one thread.

/// Packets and replies larger than this are worked on by a helper thread.
pub(super) const LARGE: usize = 256 << 10;
