//! Strips the version byte and the compression from a packet, leaving the bytes of one term.

use std::borrow::Cow;

use flate2::{Decompress, FlushDecompress, Status};

use super::tag;
use crate::codec::error::CodecError;

/// The best ratio that deflate can reach. A larger claim is false, which is detected before memory is allocated.
const MAX_RATIO: usize = 1032;

/// Strips the version byte, and inflates the term if it is compressed.
///
/// The result is not validated: [`Cursor`](super::Cursor) or [`to_pickle`](crate::codec::to_pickle) reads it.
///
/// # Errors
/// `Malformed` if the version byte is not 131, or if the compressed bytes are not exactly one zlib stream of the
/// declared size; `TooLarge` if it would inflate to more than `limit` bytes.
pub fn open(packet: &[u8], limit: usize) -> Result<Cow<'_, [u8]>, CodecError> {
    match packet {
        [tag::VERSION, tag::COMPRESSED, a, b, c, d, stream @ ..] => {
            let size = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
            inflate(stream, size, limit).map(Cow::Owned)
        }
        [tag::VERSION, term @ ..] => Ok(Cow::Borrowed(term)),
        [] => Err(CodecError::malformed("the packet is empty")),
        [other, ..] => Err(CodecError::malformed(format!("the packet begins with {other}, not with 131"))),
    }
}

/// The size of the term that [`open`] will return, as declared by the packet. A packet that `open` refuses without inflating it has
/// its own size.
pub fn opened_size(packet: &[u8], limit: usize) -> usize {
    let inflated = match packet {
        [tag::VERSION, tag::COMPRESSED, a, b, c, d, stream @ ..] => {
            let size = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
            (size <= limit && size / MAX_RATIO <= stream.len()).then_some(size)
        }
        _ => None,
    };
    inflated.unwrap_or(packet.len())
}

/// The first bytes of the term in a packet, inflated and without the version byte: at least `most`, if the term has that many.
pub fn open_head(packet: &[u8], most: usize) -> Cow<'_, [u8]> {
    match packet {
        [tag::VERSION, tag::COMPRESSED, _, _, _, _, stream @ ..] => {
            let mut head = Vec::with_capacity(most);
            // An invalid stream is detected when all of it is inflated.
            let _ = Decompress::new(true).decompress_vec(stream, &mut head, FlushDecompress::None);
            Cow::Owned(head)
        }
        [tag::VERSION, term @ ..] => Cow::Borrowed(term),
        _ => Cow::Borrowed(&[]),
    }
}

fn inflate(stream: &[u8], size: usize, limit: usize) -> Result<Vec<u8>, CodecError> {
    if size > limit {
        return Err(CodecError::too_large(size as u64, limit));
    }
    if size / MAX_RATIO > stream.len() {
        return Err(CodecError::malformed(format!("{} compressed bytes cannot become {size}", stream.len())));
    }
    // One byte more than declared, to detect a stream that is too long.
    let mut term = Vec::with_capacity(size + 1);
    let mut zlib = Decompress::new(true);
    let status = zlib.decompress_vec(stream, &mut term, FlushDecompress::Finish);
    let consumed = usize::try_from(zlib.total_in()).unwrap_or(usize::MAX);
    match status {
        Ok(Status::StreamEnd) if term.len() != size => Err(wrong_size(size)),
        Ok(Status::StreamEnd) if consumed != stream.len() => {
            Err(CodecError::malformed("bytes follow the compressed term"))
        }
        Ok(Status::StreamEnd) => Ok(term),
        Ok(_) if term.len() > size => Err(wrong_size(size)),
        Ok(_) => Err(CodecError::malformed("the compressed term is cut off")),
        Err(error) => Err(CodecError::malformed(format!("the compressed term is not zlib: {error}"))),
    }
}

fn wrong_size(declared: usize) -> CodecError {
    CodecError::malformed(format!("the compressed term does not inflate to the declared {declared} bytes"))
}
