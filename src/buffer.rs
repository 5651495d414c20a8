//! Read buffers: they grow with what has come, not with what was announced, and give back what a large frame has taken.

use bytes::BytesMut;

/// What is reserved for reads of small frames: for many, since those that were cut out share it for as long as they are kept.
pub(crate) const READ: usize = 64 << 10;
/// What is reserved for a large frame before its bytes have come: a length alone allocates no more than this.
const FIRST_RESERVE: usize = 1 << 20;

/// Makes room for the next read, where so many bytes of a frame are known to be missing. Once the first of them have come there is
/// room for all, and for a read after them: nothing is copied from one buffer into a larger one. The system gives memory page by
/// page, as it is filled.
pub(crate) fn make_room(buffer: &mut BytesMut, missing: usize) {
    let room = buffer.capacity() - buffer.len();
    if room < missing.max(READ / 2) {
        let missing = if buffer.len() < FIRST_RESERVE / 2 { missing.min(FIRST_RESERVE) } else { missing };
        buffer.reserve(missing + READ);
    }
}

/// Lets go of the memory of a frame of this size that was cut out of the buffer.
pub(crate) fn give_back(buffer: &mut BytesMut, size: usize) {
    if size >= FIRST_RESERVE && buffer.len() < READ {
        *buffer = BytesMut::from(buffer.as_ref());
    }
}
