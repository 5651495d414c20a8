//! What counts as large, and is left to helper threads.

/// Helper threads process packets and replies larger than this.
pub(super) const LARGE: usize = 256 << 10;
