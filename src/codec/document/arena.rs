//! Nodes and containers: four bytes for each value, and what belongs together stands together.
//!
//! A container gets its contents before it becomes part of another; the machine keeps to that, so the arena has no
//! cycles, and the size of a container is final when it is added to the size of its owner.

use super::scalar::{self, Scalar, Size};
use crate::codec::global::Global;
use crate::codec::options::NoneIs;

/// A value: the offset of the opcode that made a scalar, the number of a container, or something of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Node(u32);

/// Set in nodes that are containers. A pickle has less than 2 GiB.
const CONTAINER: u32 = 1 << 31;
/// The largest pickle, in bytes.
pub(crate) const LARGEST_PICKLE: usize = CONTAINER as usize - 1;

/// A node, told apart.
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

    /// The scalar, if it is one, which stands in this pickle.
    pub(crate) fn scalar_in(self, pickle: &[u8]) -> Option<Scalar<'_>> {
        if let At::Scalar(offset) = self.at() { scalar::at(pickle, offset) } else { None }
    }

    /// A number that tells nodes apart by its low bits, more or less.
    #[inline]
    pub(crate) fn hash(self) -> u32 {
        self.0.wrapping_mul(0x9e37_79b9) >> 16
    }

    #[inline(always)]
    pub(crate) fn at(self) -> At {
        if self.0 & CONTAINER == 0 {
            return At::Scalar(self.0 as usize);
        }
        // A pickle is too short for so many containers that their numbers meet those of the globals.
        match Global::ALL.get((u32::MAX - self.0) as usize) {
            Some(global) => At::Global(*global),
            None => At::Container((self.0 & !CONTAINER) as usize),
        }
    }
}

/// A node that is no part of anything yet, with its size: whoever reads a scalar knows it, and nobody has to read that again.
///
/// The lower half is the node, the upper half how many bytes it takes as a term, if it is a scalar: that of a container is
/// known when it becomes part of another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Value(u64);

impl Value {
    /// A scalar, and its size as a term.
    #[inline]
    pub(crate) fn scalar(offset: usize, size: u64) -> Self {
        // A pickle has less than 2 GiB.
        Self(size << 32 | u64::from(Node::scalar(offset).0))
    }

    /// What is no scalar.
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

/// What a container is, and so what its nodes mean.
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
    /// A tensor: the arguments that it was made of.
    Tensor,
    /// A call of one of ours with arguments that make nothing.
    Invalid(Global),
    /// A class or function that is not ours, or what calling it would have made: its module and its name.
    Foreign,
}

/// Values that belong to one owner.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Container {
    pub(crate) kind: Kind,
    /// Whether it is part of another; from then on it cannot grow.
    embedded: bool,
    /// How many nodes.
    pub(crate) count: u32,
    first: u32,
    last: u32,
    /// The sum of the sizes of the nodes as terms.
    inner: u64,
}

/// Nodes that stand side by side, and where the owner's next ones are.
#[derive(Debug, Clone, Copy)]
struct Batch {
    start: u32,
    end: u32,
    next: u32,
}

/// What a value takes in the pickles of everyday values, or less: there is room for their nodes from the beginning.
const BYTES_PER_NODE: usize = 8;
/// For so many nodes, at most: a large pickle may as well be one text.
const MOST_ROOM: usize = 1 << 18;

/// No batch.
const NOWHERE: u32 = u32::MAX;

/// All values of a pickle but the scalars, which stay in the pickle.
#[derive(Debug, Default)]
pub(crate) struct Arena {
    /// What `None` will be written as: sizes depend on it.
    pub(crate) none: NoneIs,
    nodes: Vec<Node>,
    batches: Vec<Batch>,
    containers: Vec<Container>,
    /// The first container that was found to contain itself; it is kept without that part.
    pub(crate) cyclic: Option<Node>,
}

impl Container {
    /// How many bytes it takes as a term: ETF wants to know before the first of them is written.
    #[inline]
    fn term_size(&self) -> u64 {
        let (count, inner) = (u64::from(self.count), self.inner);
        let around = |bytes: u64| bytes.saturating_add(inner);
        match self.kind {
            Kind::List | Kind::Set if count == 0 => 1,
            Kind::List | Kind::Set => around(6),
            Kind::Tuple if count <= 255 => around(2),
            Kind::Tuple | Kind::Dict => around(5),
            // The text was counted as a binary, with five bytes before it.
            Kind::Atom if inner <= 5 + 255 => inner.saturating_sub(3),
            Kind::Atom => inner.saturating_sub(2),
            Kind::Opaque => inner.saturating_sub(5),
            // The empty list at the end of the elements gives way to the tail.
            Kind::ImproperList => inner.saturating_sub(1),
            Kind::Moment | Kind::Tensor => inner,
            Kind::Foreign | Kind::Invalid(_) => 0,
        }
    }
}

impl Arena {
    /// An empty arena for a pickle of so many bytes.
    pub(crate) fn new(bytes: usize, none: NoneIs) -> Self {
        Self { none, nodes: Vec::with_capacity((bytes / BYTES_PER_NODE).min(MOST_ROOM)), ..Self::default() }
    }

    /// The container of a node that is one.
    #[inline]
    pub(crate) fn container(&self, node: Node) -> Option<&Container> {
        match node.at() {
            At::Container(number) => self.containers.get(number),
            At::Scalar(_) | At::Global(_) => None,
        }
    }

    /// How many bytes a value takes as a term; `u64::MAX` for that many or more.
    pub(crate) fn term_size(&self, pickle: &[u8], node: Node) -> u64 {
        match node.at() {
            At::Scalar(offset) => scalar::use_at(pickle, offset, Size(self.none)).unwrap_or_default(),
            At::Container(number) => self.containers.get(number).map_or(0, Container::term_size),
            At::Global(_) => 0,
        }
    }

    /// A node as a value again.
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

    /// Makes a container that shares the nodes of another and takes so many bytes as a term.
    pub(crate) fn add_sized(&mut self, kind: Kind, other: &Container, size: u64) -> Node {
        self.add_as(kind, &Container { inner: size, ..*other })
    }

    /// Adds values to a container, unless it is part of another: then it contains itself.
    ///
    /// Pickles finish a value before they make it part of another, except where the value is reached again from its
    /// own contents. What is refused here is the last edge of each cycle, whatever the opcodes.
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
            // Nothing was put in between: scalars leave no nodes of their own.
            Some(batch) if batch.end == start => return batch.end = end,
            Some(batch) => batch.next = new_batch,
            None => container.first = new_batch,
        }
        container.last = new_batch;
        self.batches.push(Batch { start, end, next: NOWHERE });
    }

    /// Makes values part of something and adds up their sizes.
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

    /// The nodes of a container, batch by batch.
    pub(crate) fn batches(&self, container: &Container) -> Batches<'_> {
        Batches { arena: self, next: container.first }
    }

    /// The nodes of a container that stand side by side from its first: all of them if it was made at once.
    pub(crate) fn nodes(&self, container: &Container) -> &[Node] {
        self.batches(container).next().unwrap_or_default()
    }
}

/// Goes from batch to batch.
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
