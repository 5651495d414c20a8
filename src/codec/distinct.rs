//! Whether keys are distinct, in linear time even for keys chosen to be slow.

use std::hash::{BuildHasher, RandomState};

/// Up to this many keys, each is compared with every other.
const FEW: usize = 8;

/// Finds a key that equals an earlier one, among the `count` keys that `key` returns.
#[inline]
pub(crate) fn twice<'k>(count: usize, key: impl Fn(usize) -> &'k [u8]) -> Option<usize> {
    if count > FEW {
        return among_many(count, key);
    }
    (1..count).find(|late| (0..*late).any(|early| key(early) == key(*late)))
}

/// A half-empty hash table of positions; the upper half of an entry is the upper half of the key's hash.
fn among_many<'k>(count: usize, key: impl Fn(usize) -> &'k [u8]) -> Option<usize> {
    let seed = RandomState::new().hash_one(count);
    let mut slots = vec![0; (2 * count).next_power_of_two()];
    let last = slots.len() - 1;
    (0..count).find(|position| {
        let hash = hash(seed, key(*position));
        // Zero is an empty slot. There are fewer than 2^32 keys, so a position plus one fits into the lower half.
        let entry = hash & !0xffff_ffff | (*position as u64 + 1);
        let mut at = hash as usize & last;
        while let Some(slot) = slots.get_mut(at) {
            if *slot == 0 {
                *slot = entry;
                return false;
            }
            if *slot >> 32 == entry >> 32 && key((*slot & 0xffff_ffff) as usize - 1) == key(*position) {
                return true;
            }
            at = (at + 1) & last;
        }
        false
    })
}

/// Hashes bytes with a seed.
#[inline]
pub(crate) fn hash(seed: u64, bytes: &[u8]) -> u64 {
    let mut state = seed ^ bytes.len() as u64;
    let mut rest = bytes;
    while let Some((word, more)) = rest.split_first_chunk().filter(|(_, more)| !more.is_empty()) {
        state = mix(state ^ u64::from_le_bytes(*word));
        rest = more;
    }
    mix(state ^ head(rest))
}

/// The first eight bytes as a number that sorts as they do, padded with zeros.
#[inline]
pub(crate) fn head(bytes: &[u8]) -> u64 {
    if let Some(word) = bytes.first_chunk() {
        return u64::from_be_bytes(*word);
    }
    match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(first), Some(last)) => {
            // Four to seven bytes: two overlapping halves.
            let tail = u64::from(u32::from_be_bytes(*last)) << (8 * (8 - bytes.len()));
            u64::from(u32::from_be_bytes(*first)) << 32 | tail & 0xffff_ffff
        }
        _ => bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)) << (8 * (7 - bytes.len())) << 8,
    }
}

#[inline]
fn mix(word: u64) -> u64 {
    const MULTIPLIER: u128 = 0x9e37_79b9_7f4a_7c15;
    let product = u128::from(word) * MULTIPLIER;
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::{head, twice};

    fn find(keys: &[&[u8]]) -> Option<usize> {
        twice(keys.len(), |position| keys[position])
    }

    #[test]
    fn finds_the_second_of_two_equal_keys_among_few_and_many() {
        for count in [0, 1, 2, 8, 9, 1000] {
            let keys: Vec<Vec<u8>> = (0..count).map(|number: u32| number.to_string().into_bytes()).collect();
            let mut keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
            assert_eq!(find(&keys), None);
            for early in (0..count as usize).step_by(97) {
                keys.push(keys[early]);
                assert_eq!(find(&keys), Some(count as usize));
                keys.pop();
            }
        }
    }

    #[test]
    fn keys_that_differ_in_length_or_in_zeros_are_distinct() {
        let zeros = [0; 40];
        let keys: Vec<&[u8]> = (0..40).map(|length| &zeros[..length]).collect();
        assert_eq!(find(&keys), None);
    }

    #[test]
    fn heads_sort_as_the_bytes_do() {
        let texts: [&[u8]; 12] = [
            b"",
            b"\0",
            b"a",
            b"ab",
            b"abc",
            b"abcd",
            b"abcde",
            b"abcdef",
            b"abcdefg",
            b"abcdefgh",
            b"b",
            b"\xff\xff\xff\xff",
        ];
        for (left, right) in texts.iter().zip(&texts[1..]) {
            assert!(head(left) <= head(right), "{left:?} {right:?}");
        }
        assert_eq!(head(b"abcde"), 0x6162_6364_6500_0000);
        assert_eq!(head(b"abc"), 0x6162_6300_0000_0000);
    }
}
