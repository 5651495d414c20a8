//! Floats side by side, as in a list of them: a tag and eight bytes each, in terms as in pickles. A run of them crosses as it
//! is, and only the tags change.

/// What a float takes.
pub(crate) const SIZE: usize = 9;
/// A run ends here at the latest, so that whoever works on it next finds it in the fastest cache.
pub(crate) const LONGEST: usize = 1024;

/// How many finite floats with this tag `bytes` begins with, `most` at most.
#[inline]
pub(crate) fn count(bytes: &[u8], tag: u8, most: usize) -> usize {
    let floats = bytes.chunks_exact(SIZE).take(most.min(LONGEST));
    floats.take_while(|float| is_finite(float, tag)).count()
}

/// An exponent of nothing but ones makes a NaN or an infinity.
#[inline]
fn is_finite(float: &[u8], tag: u8) -> bool {
    matches!(float, [first, high, low, ..] if *first == tag && u16::from_be_bytes([*high, *low]) & 0x7ff0 != 0x7ff0)
}

/// Appends a run of floats with this tag in place of their own.
#[inline]
pub(crate) fn copy(run: &[u8], tag: u8, out: &mut Vec<u8>) {
    let before = out.len();
    out.extend_from_slice(run);
    let written = out.get_mut(before..).unwrap_or_default();
    written.chunks_exact_mut(SIZE).filter_map(<[u8]>::first_mut).for_each(|first| *first = tag);
}
