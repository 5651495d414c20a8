//! Read buffers that grow with what has arrived, not with what was announced, and that release the memory of large
//! frames.

use bytes::BytesMut;

/// The room reserved for reading small frames: enough for many, because the frames cut from one read share its memory
/// while they are kept.
pub(crate) const READ: usize = 64 << 10;
/// The room reserved for a large frame before its bytes arrive: an announced length alone allocates no more than this.
const FIRST_RESERVE: usize = 1 << 20;

/// Makes room for the next read, when this many bytes of a frame are known to be missing. Once the first of them have
/// arrived, there is room for all of them and for another read, so nothing is copied from a smaller buffer into a
/// larger one. The system supplies the memory page by page, as it is filled.
pub(crate) fn make_room(buffer: &mut BytesMut, missing: usize) {
    let room = buffer.capacity() - buffer.len();
    if room < missing.max(READ / 2) {
        let missing = if buffer.len() < FIRST_RESERVE / 2 { missing.min(FIRST_RESERVE) } else { missing };
        buffer.reserve(missing + READ);
    }
}

/// Releases the memory of a frame of this size that was cut from the buffer.
pub(crate) fn give_back(buffer: &mut BytesMut, size: usize) {
    if size >= FIRST_RESERVE && buffer.len() < READ {
        *buffer = BytesMut::from(buffer.as_ref());
    }
}
