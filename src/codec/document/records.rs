//! Dicts with exactly the keys of an earlier dict, like the rows of a table. Their keys are known to be distinct.

use super::arena::Node;

/// Dicts with more keys than this are tables, not records.
const LARGEST: usize = 64;
/// The maximum number of known records.
const SLOTS: usize = 16;

/// The dicts last found to have distinct keys, as nodes, keys and values alternating. A new one replaces the one in its
/// slot.
#[derive(Debug, Default)]
pub(crate) struct Records<'d> {
    slots: [&'d [Node]; SLOTS],
}

impl<'d> Records<'d> {
    /// Returns whether an earlier dict had the same key nodes. `nodes` are the dict's first batch, `count` the number
    /// of all its nodes.
    #[inline]
    pub(crate) fn has(&self, nodes: &[Node], count: u32) -> bool {
        let Some(known) = slot(nodes, count).and_then(|slot| self.slots.get(slot)) else { return false };
        known.len() == nodes.len() && keys(known).eq(keys(nodes))
    }

    /// Remembers a dict whose keys are distinct; the arguments are those of `has`.
    #[inline]
    pub(crate) fn learn(&mut self, nodes: &'d [Node], count: u32) {
        if let Some(known) = slot(nodes, count).and_then(|slot| self.slots.get_mut(slot)) {
            *known = nodes;
        }
    }
}

fn keys(nodes: &[Node]) -> impl Iterator<Item = &Node> {
    nodes.iter().step_by(2)
}

/// The slot for such a dict, if it is a record in one batch.
#[inline]
fn slot(nodes: &[Node], count: u32) -> Option<usize> {
    let first = nodes.first()?;
    (nodes.len() == count as usize && nodes.len() <= 2 * LARGEST).then(|| first.hash() as usize % SLOTS)
}
