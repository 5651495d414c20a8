//! Nodes and containers: four bytes per value, with the values of one container side by side.
//!
//! A container is filled before it becomes part of another. The machine guarantees that, so the arena has no cycles,
//! and the size of a container is final when it is added to its owner's.

use super::scalar::{self, Scalar, Size};
use crate::codec::global::Global;
use crate::codec::options::NoneIs;

/// A value: the offset of the opcode that made a scalar, the number of a container, or one of our globals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Node(u32);

/// The bit that marks a container. A pickle is smaller than 2 GiB.
const CONTAINER: u32 = 1 << 31;
/// The maximum size of a pickle, in bytes.
pub(crate) const LARGEST_PICKLE: usize = CONTAINER as usize - 1;

/// A decoded node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    Scalar(usize),
    Container(usize),
    Global(Global),
}

impl Node {
    #[inline]
    pub(crate) fn scalar(offset: usize) -> Self {
        Self(offset as u32)
    }

    fn container(number: usize) -> Self {
        Self(number as u32 | CONTAINER)
    }

    pub(crate) fn global(global: Global) -> Self {
        Self(u32::MAX - global as u32)
    }

    /// The scalar, if the node is one, read from this pickle.
    pub(crate) fn scalar_in(self, pickle: &[u8]) -> Option<Scalar<'_>> {
        if let At::Scalar(offset) = self.at() { scalar::at(pickle, offset) } else { None }
    }

    /// A number whose low bits roughly tell nodes apart.
    #[inline]
    pub(crate) fn hash(self) -> u32 {
        self.0.wrapping_mul(0x9e37_79b9) >> 16
    }

    #[inline(always)]
    pub(crate) fn at(self) -> At {
        if self.0 & CONTAINER == 0 {
            return At::Scalar(self.0 as usize);
        }
        // A pickle is too short for its container numbers to reach those of the globals.
        match Global::ALL.get((u32::MAX - self.0) as usize) {
            Some(global) => At::Global(*global),
            None => At::Container((self.0 & !CONTAINER) as usize),
        }
    }
}

/// A node that is not yet part of anything, with its size. The reader of a scalar knows its size, so it is not
/// computed twice.
///
/// The lower half is the node. The upper half is the size of a scalar as a term; the size of a container is known when
/// it becomes part of another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Value(u64);

impl Value {
    /// A scalar, and its size as a term.
    #[inline]
    pub(crate) fn scalar(offset: usize, size: u64) -> Self {
        // A pickle is smaller than 2 GiB.
        Self(size << 32 | u64::from(Node::scalar(offset).0))
    }

    /// A node that is not a scalar.
    #[inline]
    pub(crate) fn of(node: Node) -> Self {
        Self(u64::from(node.0))
    }

    #[inline]
    pub(crate) fn node(self) -> Node {
        Node(self.0 as u32)
    }

    #[inline]
    fn size(self) -> u64 {
        self.0 >> 32
    }
}

/// The kind of a container, which decides what its nodes mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    List,
    Tuple,
    Set,
    /// Keys and values in turn.
    Dict,
    /// Its text.
    Atom,
    /// Its bytes.
    Opaque,
    /// The list of elements, and the tail.
    ImproperList,
    /// A date or time: the arguments of its class.
    Moment,
    /// A tensor: the arguments that it was made from.
    Tensor,
    /// A call of one of our globals with invalid arguments.
    Invalid(Global),
    /// A class or function that is not ours, or the result of calling it: its module and name.
    Foreign,
}

/// Values that belong to one owner.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Container {
    pub(crate) kind: Kind,
    /// Whether it is part of another container, and so cannot grow.
    embedded: bool,
    /// The number of nodes.
    pub(crate) count: u32,
    first: u32,
    last: u32,
    /// The sum of the sizes of the nodes as terms.
    inner: u64,
}

/// Nodes side by side, and where their owner's next ones are.
#[derive(Debug, Clone, Copy)]
struct Batch {
    start: u32,
    end: u32,
    next: u32,
}

/// The usual number of pickle bytes per value, or less, so that the nodes rarely need to be reallocated.
const BYTES_PER_NODE: usize = 8;
/// The most nodes to reserve room for: a large pickle may be a single text.
const MOST_ROOM: usize = 1 << 18;

/// No batch.
const NOWHERE: u32 = u32::MAX;

/// All values of a pickle but the scalars, which stay in the pickle.
#[derive(Debug, Default)]
pub(crate) struct Arena {
    /// The atom that `None` is written as; sizes depend on it.
    pub(crate) none: NoneIs,
    nodes: Vec<Node>,
    batches: Vec<Batch>,
    containers: Vec<Container>,
    /// The first container found to contain itself, which is kept without that part.
    pub(crate) cyclic: Option<Node>,
}

impl Container {
    /// Its size as a term in bytes. ETF needs sizes before contents.
    #[inline]
    fn term_size(&self) -> u64 {
        let (count, inner) = (u64::from(self.count), self.inner);
        let around = |bytes: u64| bytes.saturating_add(inner);
        match self.kind {
            Kind::List | Kind::Set if count == 0 => 1,
            Kind::List | Kind::Set => around(6),
            Kind::Tuple if count <= 255 => around(2),
            Kind::Tuple | Kind::Dict => around(5),
            // The text was counted as a binary, with five bytes of header.
            Kind::Atom if inner <= 5 + 255 => inner.saturating_sub(3),
            Kind::Atom => inner.saturating_sub(2),
            Kind::Opaque => inner.saturating_sub(5),
            // The tail replaces the empty list at the end of the elements.
            Kind::ImproperList => inner.saturating_sub(1),
            Kind::Moment | Kind::Tensor => inner,
            Kind::Foreign | Kind::Invalid(_) => 0,
        }
    }
}

impl Arena {
    /// An empty arena for a pickle of `bytes` bytes.
    pub(crate) fn new(bytes: usize, none: NoneIs) -> Self {
        Self { none, nodes: Vec::with_capacity((bytes / BYTES_PER_NODE).min(MOST_ROOM)), ..Self::default() }
    }

    /// The container that a node refers to.
    #[inline]
    pub(crate) fn container(&self, node: Node) -> Option<&Container> {
        match node.at() {
            At::Container(number) => self.containers.get(number),
            At::Scalar(_) | At::Global(_) => None,
        }
    }

    /// The size of a value as a term, in bytes; `u64::MAX` if it is at least that.
    pub(crate) fn term_size(&self, pickle: &[u8], node: Node) -> u64 {
        match node.at() {
            At::Scalar(offset) => scalar::use_at(pickle, offset, Size(self.none)).unwrap_or_default(),
            At::Container(number) => self.containers.get(number).map_or(0, Container::term_size),
            At::Global(_) => 0,
        }
    }

    /// Turns a node back into a value.
    pub(crate) fn value(&self, pickle: &[u8], node: Node) -> Value {
        match node.at() {
            At::Scalar(offset) => Value::scalar(offset, self.term_size(pickle, node)),
            At::Container(_) | At::Global(_) => Value::of(node),
        }
    }

    /// Makes a container of these values.
    pub(crate) fn add(&mut self, kind: Kind, values: &[Value]) -> Node {
        let node = Node::container(self.containers.len());
        let empty = Container { kind, embedded: false, count: 0, first: NOWHERE, last: NOWHERE, inner: 0 };
        self.containers.push(empty);
        if !values.is_empty() {
            self.extend(node, values);
        }
        node
    }

    /// Makes a container that shares the nodes of another.
    pub(crate) fn add_as(&mut self, kind: Kind, other: &Container) -> Node {
        self.containers.push(Container { kind, embedded: false, ..*other });
        Node::container(self.containers.len() - 1)
    }

    /// Makes a container that shares the nodes of another and has this size as a term.
    pub(crate) fn add_sized(&mut self, kind: Kind, other: &Container, size: u64) -> Node {
        self.add_as(kind, &Container { inner: size, ..*other })
    }

    /// Adds values to a container, unless it is part of another: then it contains itself.
    ///
    /// A pickle completes a value before it makes it part of another, unless the value is reached again from its own
    /// contents. This refuses the last edge of each cycle, whatever the opcodes.
    pub(crate) fn extend(&mut self, owner: Node, values: &[Value]) {
        let inner = self.embed(values);
        let start = self.nodes.len() as u32;
        let (At::Container(number), new_batch) = (owner.at(), self.batches.len() as u32) else { return };
        let Some(container) = self.containers.get_mut(number) else { return };
        if container.embedded {
            self.cyclic = self.cyclic.or(Some(owner));
            return;
        }
        self.nodes.extend(values.iter().map(|value| value.node()));
        container.count += values.len() as u32;
        container.inner = container.inner.saturating_add(inner);
        let end = self.nodes.len() as u32;
        let previous = self.batches.get_mut(container.last as usize);
        match previous {
            // Nothing came in between: scalars have no nodes of their own.
            Some(batch) if batch.end == start => return batch.end = end,
            Some(batch) => batch.next = new_batch,
            None => container.first = new_batch,
        }
        container.last = new_batch;
        self.batches.push(Batch { start, end, next: NOWHERE });
    }

    /// Makes values part of a container and adds up their sizes.
    #[inline]
    fn embed(&mut self, values: &[Value]) -> u64 {
        let mut inner: u64 = 0;
        for value in values {
            inner = inner.saturating_add(value.size());
            if let At::Container(number) = value.node().at()
                && let Some(container) = self.containers.get_mut(number)
            {
                inner = inner.saturating_add(container.term_size());
                container.embedded = true;
            }
        }
        inner
    }

    /// The batches of a container's nodes.
    pub(crate) fn batches(&self, container: &Container) -> Batches<'_> {
        Batches { arena: self, next: container.first }
    }

    /// The nodes of a container's first batch: all of them if it was made at once.
    pub(crate) fn nodes(&self, container: &Container) -> &[Node] {
        self.batches(container).next().unwrap_or_default()
    }
}

/// Iterates over batches.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Batches<'d> {
    arena: &'d Arena,
    next: u32,
}

impl<'d> Iterator for Batches<'d> {
    type Item = &'d [Node];

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.arena.batches.get(self.next as usize)?;
        self.next = batch.next;
        self.arena.nodes.get(batch.start as usize..batch.end as usize)
    }
}
