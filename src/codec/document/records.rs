//! Dicts that have the very keys of a dict before them, as the rows of a table do: nobody has to find out again that they are
//! distinct.

use super::arena::Node;

/// Dicts with more keys than this are tables, not records.
const LARGEST: usize = 64;
/// How many records are known at once, at most.
const SLOTS: usize = 16;

/// The dicts that were found to have distinct keys last, as nodes, keys and values in turn. A newcomer displaces whoever was in
/// its slot.
#[derive(Debug, Default)]
pub(crate) struct Records<'d> {
    slots: [&'d [Node]; SLOTS],
}

impl<'d> Records<'d> {
    /// Tells whether there was a dict with the same nodes for keys. `nodes` are those of the dict that stand side by side,
    /// `count` is how many it has in all.
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

/// Where such a dict is remembered, if it is a record and stands together.
#[inline]
fn slot(nodes: &[Node], count: u32) -> Option<usize> {
    let first = nodes.first()?;
    (nodes.len() == count as usize && nodes.len() <= 2 * LARGEST).then(|| first.hash() as usize % SLOTS)
}
