//! Remembers which atoms and short keys Python's memo already holds: from the second time on they cost two bytes.
//!
//! A table with one entry per slot, where a new entry replaces the old one. Look-ups take constant time whatever the
//! text, and the table never grows.

use super::distinct::hash;

/// Longer texts are not remembered.
const LONGEST: usize = 64;
/// The number of slots for the largest input.
const MOST_SLOTS: usize = 1024;
/// Input bytes per slot: small calls get small tables.
const BYTES_PER_SLOT: usize = 16;

/// What a remembered text is in Python.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A `str`.
    Text,
    /// A `portpool.Atom` from UTF-8.
    Atom,
    /// A `portpool.Atom` from Latin-1.
    Latin1Atom,
}

#[derive(Debug, Clone, Copy)]
struct Entry<'t> {
    kind: Kind,
    index: u32,
    text: &'t [u8],
}

/// The texts memoised last.
#[derive(Debug)]
pub(crate) struct Memo<'t> {
    slots: Vec<Option<Entry<'t>>>,
}

impl<'t> Memo<'t> {
    /// An empty memo for an input of `bytes` bytes.
    pub(crate) fn for_input(bytes: usize) -> Self {
        let slots = (bytes / BYTES_PER_SLOT).clamp(8, MOST_SLOTS).next_power_of_two();
        Self { slots: vec![None; slots] }
    }

    /// Finds a text, or the slot for it; `None` if it is too long.
    #[inline]
    pub(crate) fn look_up<'m>(&'m mut self, kind: Kind, text: &'t [u8]) -> Option<Slot<'m, 't>> {
        if text.len() > LONGEST {
            return None;
        }
        // A poor hash makes a longer pickle and nothing worse, so the seed may be known.
        let position = hash(kind as u64, text) as usize & (self.slots.len() - 1);
        let entry = self.slots.get_mut(position)?;
        let found = entry.filter(|entry| entry.kind == kind && entry.text == text);
        Some(Slot { kind, text, found: found.map(|entry| entry.index), entry })
    }
}

/// The one place where a text can be remembered.
pub(crate) struct Slot<'m, 't> {
    kind: Kind,
    text: &'t [u8],
    entry: &'m mut Option<Entry<'t>>,
    /// The index in Python's memo, if the text is already there.
    pub(crate) found: Option<u32>,
}

impl Slot<'_, '_> {
    /// Records the index of a text just memoised.
    pub(crate) fn note(self, index: u32) -> u32 {
        *self.entry = Some(Entry { kind: self.kind, index, text: self.text });
        index
    }
}
