//! Adjacent floats, as in a list: a tag and eight bytes each, in terms and in pickles. A run of them is copied, and
//! only the tags change.

/// The bytes of a float.
pub(crate) const SIZE: usize = 9;
/// The maximum length of a run, so that it is still in the fastest cache for the next step.
pub(crate) const LONGEST: usize = 1024;

/// The number of finite floats with this tag at the start of `bytes`, up to `most`.
#[inline]
pub(crate) fn count(bytes: &[u8], tag: u8, most: usize) -> usize {
    let floats = bytes.chunks_exact(SIZE).take(most.min(LONGEST));
    floats.take_while(|float| is_finite(float, tag)).count()
}

/// An exponent of all ones makes a NaN or an infinity.
#[inline]
fn is_finite(float: &[u8], tag: u8) -> bool {
    matches!(float, [first, high, low, ..] if *first == tag && u16::from_be_bytes([*high, *low]) & 0x7ff0 != 0x7ff0)
}

/// Appends a run of floats, replacing their tags.
#[inline]
pub(crate) fn copy(run: &[u8], tag: u8, out: &mut Vec<u8>) {
    let before = out.len();
    out.extend_from_slice(run);
    let written = out.get_mut(before..).unwrap_or_default();
    written.chunks_exact_mut(SIZE).filter_map(<[u8]>::first_mut).for_each(|first| *first = tag);
}
