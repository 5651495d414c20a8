//! Copies and validates UTF-8 in one pass, so that long text is read from memory once instead of twice.

/// The size of a step, which stays in the fastest cache.
const BLOCK: usize = 16 << 10;

/// Appends text up to the first byte that is not UTF-8, and returns whether all of it is.
///
/// Most text is ASCII, which is faster to check.
#[inline]
pub(crate) fn copy(text: &[u8], out: &mut Vec<u8>) -> bool {
    if text.len() > BLOCK {
        return copy_long(text, out);
    }
    let is_utf8 = is_utf8(text);
    if is_utf8 {
        out.extend_from_slice(text);
    }
    is_utf8
}

#[inline(never)]
fn copy_long(text: &[u8], out: &mut Vec<u8>) -> bool {
    out.reserve(text.len());
    let mut rest = text;
    while let Some((block, after)) = rest.split_at_checked(BLOCK.min(rest.len())).filter(|(block, _)| block.is_ascii())
    {
        if block.is_empty() {
            return true;
        }
        out.extend_from_slice(block);
        rest = after;
    }
    // A character may cross the end of a block.
    let is_utf8 = is_utf8(rest);
    if is_utf8 {
        out.extend_from_slice(rest);
    }
    is_utf8
}

#[inline]
fn is_utf8(text: &[u8]) -> bool {
    text.is_ascii() || std::str::from_utf8(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, copy};

    #[test]
    fn text_of_any_length_is_copied_if_it_is_utf8_wherever_its_blocks_end() {
        for length in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 3 * BLOCK + 5] {
            for at in [0, 1, BLOCK - 2, BLOCK - 1, BLOCK, 2 * BLOCK - 1, 3 * BLOCK] {
                for inside in ["a", "\u{e9}", "\u{1f600}"] {
                    let mut text = "x".repeat(length);
                    text.insert_str(at.min(length), inside);
                    let mut out = vec![1];
                    assert!(copy(text.as_bytes(), &mut out));
                    assert_eq!(out[1..], *text.as_bytes());
                }
                let mut wrong = vec![b'x'; length + 1];
                wrong[at.min(length)] = 0xe9;
                assert!(!copy(&wrong, &mut Vec::new()), "{length} {at}");
            }
        }
    }
}
