//! Records: maps with the same keys in the same order as an earlier map, like the rows of a table.
//!
//! Their keys need no look-up and no check that they are distinct: comparing the bytes is enough. This is a table of a
//! few slots, where a new entry replaces the old one.

use super::distinct;
use super::etf::{tag, token};
use super::reader::Reader;
use super::structs;

/// Maps with more keys than this are not records: their keys rarely occur again.
pub(crate) const LARGEST: u32 = 64;
/// The number of slots for the largest input.
const MOST_SLOTS: usize = 64;
/// Input bytes per slot; smaller inputs have no slots.
const BYTES_PER_SLOT: usize = 512;

/// A key of a record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key<'t> {
    /// Its bytes in the term.
    pub(crate) raw: &'t [u8],
    /// Its index in Python's memo.
    pub(crate) memo: u32,
    /// Whether it is the key that makes a map a struct.
    pub(crate) is_name: bool,
}

/// The place of a record's keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot(u32);

/// The keys of the records seen last.
#[derive(Debug)]
pub(crate) struct Records<'t> {
    slots: Vec<Vec<Key<'t>>>,
}

impl<'t> Records<'t> {
    /// Starts empty, for an input of `bytes` bytes.
    pub(crate) fn for_input(bytes: usize) -> Self {
        let slots = (bytes / BYTES_PER_SLOT).min(MOST_SLOTS);
        Self { slots: if slots == 0 { Vec::new() } else { vec![Vec::new(); slots.next_power_of_two()] } }
    }

    /// Finds the record that a map of `pairs` pairs may match; `rest` begins with its first key.
    #[inline]
    pub(crate) fn find(&self, pairs: u32, rest: &[u8]) -> Option<Slot> {
        let slot = self.slot(pairs as usize, rest)?;
        self.slots.get(slot.0 as usize).filter(|keys| keys.len() == pairs as usize).map(|_| slot)
    }

    /// The key of a record at this position, counting from 0.
    #[inline]
    pub(crate) fn key(&self, slot: Slot, position: usize) -> Option<&Key<'t>> {
        self.slots.get(slot.0 as usize)?.get(position)
    }

    /// Remembers the keys of a map, which are distinct, if Python's memo has them all.
    #[inline]
    pub(crate) fn learn(&mut self, keys: impl ExactSizeIterator<Item = (&'t [u8], Option<u32>)> + Clone) {
        let Some((first, Some(_))) = keys.clone().next() else { return };
        let Some(slot) = self.slot(keys.len(), first) else { return };
        if keys.len() > LARGEST as usize || keys.clone().any(|(_, memo)| memo.is_none()) {
            return;
        }
        let Some(record) = self.slots.get_mut(slot.0 as usize) else { return };
        record.clear();
        record.extend(keys.filter_map(|(raw, memo)| {
            let is_name = token::next(&mut Reader::new(raw)) == Ok(structs::NAME);
            Some(Key { raw, memo: memo?, is_name })
        }));
    }

    /// The slot for records with `keys` keys whose first key is at the start of `bytes`.
    #[inline]
    fn slot(&self, keys: usize, bytes: &[u8]) -> Option<Slot> {
        let (length, text) = match bytes {
            [tag::BINARY_EXT, 0, 0, 0, length, text @ ..]
            | [tag::ATOM_EXT, 0, length, text @ ..]
            | [tag::SMALL_ATOM_UTF8_EXT, length, text @ ..] => (*length, text),
            _ => return None,
        };
        // A poor hash costs a look-up of each key and nothing worse, so the seed may be known.
        let mix = distinct::hash(keys as u64, text.get(..usize::from(length))?);
        let last = self.slots.len().checked_sub(1)?;
        Some(Slot((mix as usize & last) as u32))
    }
}
