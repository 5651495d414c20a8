//! Walks a document from the first value to the last, without recursion, and gives the address if a sink objects.

use super::arena::{At, Batches, Container, Kind, Node};
use super::objection::Objection;
use super::own;
use super::records::Records;
use super::root::Document;
use super::scalar::{self, Scalar, Use};
use crate::codec::address;
use crate::codec::calendar::Moment;
use crate::codec::error::CodecError;
use crate::codec::floats;
use crate::codec::integer::Integer;
use crate::codec::opcode;
use crate::codec::tensor::Tensor;

/// How deep results may nest.
///
/// Python writes pickles by recursion, and how far it gets differs between its versions: 480 levels on 3.9 to 3.11, 500 on
/// 3.12, 3000 on 3.13. The limit is one that all of them reach.
pub(crate) const MAX_DEPTH: usize = 400;

/// An output format for documents.
pub(crate) trait Sink {
    /// Takes a scalar.
    fn scalar(&mut self, scalar: Scalar<'_>) -> Result<(), Objection>;
    /// Takes finite floats that are adjacent in the pickle.
    fn floats(&mut self, run: &[u8]) -> Result<(), Objection>;
    /// Takes an atom.
    fn atom(&mut self, name: &[u8]) -> Result<(), Objection>;
    /// Takes the bytes of an opaque term.
    fn opaque(&mut self, term: &[u8]) -> Result<(), Objection>;
    /// Takes a tensor.
    fn tensor(&mut self, tensor: &Tensor<'_>) -> Result<(), Objection>;
    /// Takes a date or time.
    fn moment(&mut self, moment: &Moment<'_>) -> Result<(), Objection>;
    /// Begins a list, set, tuple or dict with `count` nodes, or an improper list with `count` elements before its tail.
    fn open(&mut self, kind: Kind, count: u32) -> Result<(), Objection>;
    /// Ends what was begun last.
    fn close(&mut self, kind: Kind) -> Result<(), Objection>;
    /// Called before a key.
    fn key_begins(&mut self) {}
    /// Called after a key.
    fn key_ends(&mut self) {}
}

/// Writes a scalar to a sink.
struct Writing<'s, S>(&'s mut S);

impl<'d, S: Sink> Use<'d> for Writing<'_, S> {
    type Output = Result<(), Objection>;

    #[inline(always)]
    fn scalar(self, scalar: Scalar<'d>) -> Result<(), Objection> {
        self.0.scalar(scalar)
    }
}

/// A container on the way down.
struct Level<'d> {
    container: &'d Container,
    /// The rest of the batch.
    rest: std::slice::Iter<'d, Node>,
    /// The batches after it.
    batches: Batches<'d>,
    /// Whether these are the elements of an improper list, which is already open and must still be closed.
    is_part: bool,
    /// Whether this is a dict whose keys have not been seen before.
    has_new_keys: bool,
}

/// Writes the whole document to `sink`.
pub(crate) fn walk(document: &Document<'_>, sink: &mut impl Sink) -> Result<(), CodecError> {
    let mut walk = Walk { document, levels: Vec::new(), records: Records::default() };
    walk.run(sink).map_err(|objection| CodecError {
        type_name: objection.type_name(),
        ..CodecError::unencodable(walk.address(), objection.to_string())
    })
}

struct Walk<'d> {
    document: &'d Document<'d>,
    levels: Vec<Level<'d>>,
    records: Records<'d>,
}

impl<'d> Walk<'d> {
    fn run(&mut self, sink: &mut impl Sink) -> Result<(), Objection> {
        self.node(self.document.root, sink)?;
        while let Some(level) = self.levels.last_mut() {
            let Some(node) = level.rest.next() else {
                self.end_of_batch(sink)?;
                continue;
            };
            if level.has_new_keys {
                // Batches of dicts are even, so before a value an odd number is left.
                if level.rest.len() % 2 == 1 { sink.key_begins() } else { sink.key_ends() }
            }
            match node.at() {
                At::Scalar(offset) => {
                    // New keys are checked one by one.
                    let rest = (!level.has_new_keys).then_some(&mut level.rest);
                    match rest.map_or(&[][..], |rest| run_of_floats(self.document.pickle, offset, rest)) {
                        [] => self.scalar(offset, sink)?,
                        run => sink.floats(run)?,
                    }
                }
                _ => self.node(*node, sink)?,
            }
        }
        Ok(())
    }

    /// Starts the next batch, or closes the container.
    fn end_of_batch(&mut self, sink: &mut impl Sink) -> Result<(), Objection> {
        let Some(level) = self.levels.last_mut() else { return Ok(()) };
        if let Some(batch) = level.batches.next() {
            level.rest = batch.iter();
            return Ok(());
        }
        if !level.is_part {
            sink.close(level.container.kind)?;
        }
        if level.has_new_keys {
            self.records.learn(self.document.arena.nodes(level.container), level.container.count);
        }
        self.levels.pop();
        Ok(())
    }

    #[inline(never)]
    fn node(&mut self, node: Node, sink: &mut impl Sink) -> Result<(), Objection> {
        let document = self.document;
        let Some(container) = document.arena.container(node) else {
            return match node.at() {
                At::Global(global) => Err(Objection::Foreign(format!("portpool.{}", global.name()))),
                At::Scalar(offset) => self.scalar(offset, sink),
                At::Container(_) => Ok(()),
            };
        };
        let mut parts = document.arena.nodes(container).iter();
        match container.kind {
            Kind::Atom => sink.atom(self.bytes(parts.next())),
            Kind::Opaque => sink.opaque(self.bytes(parts.next())),
            Kind::Moment => {
                let moment = own::moment(&document.arena, document.pickle, parts.as_slice());
                moment.map_or(Ok(()), |moment| sink.moment(&moment))
            }
            Kind::Tensor => {
                let tensor = own::tensor(&document.arena, document.pickle, parts.as_slice());
                tensor.map_or(Ok(()), |tensor| sink.tensor(&tensor))
            }
            Kind::Invalid(global) => Err(Objection::Invalid(global.type_name())),
            Kind::Foreign => {
                let [module, name] = [self.bytes(parts.next()), self.bytes(parts.next())].map(String::from_utf8_lossy);
                Err(Objection::Foreign(format!("{module}.{name}")))
            }
            Kind::ImproperList => self.improper_list(container, sink),
            kind => {
                if document.arena.cyclic == Some(node) {
                    return Err(Objection::Cycle);
                }
                sink.open(kind, container.count)?;
                self.descend(container, document.arena.batches(container), false)
            }
        }
    }

    /// Begins the elements, with the tail after them.
    fn improper_list(&mut self, container: &'d Container, sink: &mut impl Sink) -> Result<(), Objection> {
        let arena = &self.document.arena;
        let mut parts = arena.batches(container);
        let Some((items, tail)) = parts.next().and_then(<[Node]>::split_first) else { return Ok(()) };
        let Some(items) = arena.container(*items) else { return Ok(()) };
        sink.open(Kind::ImproperList, items.count)?;
        self.descend(container, parts, false)?;
        if let Some(level) = self.levels.last_mut() {
            level.rest = tail.iter();
        }
        self.descend(items, arena.batches(items), true)
    }

    fn descend(&mut self, container: &'d Container, batches: Batches<'d>, is_part: bool) -> Result<(), Objection> {
        if self.levels.len() >= MAX_DEPTH {
            return Err(Objection::Depth(MAX_DEPTH));
        }
        let has_new_keys =
            container.kind == Kind::Dict && !self.records.has(self.document.arena.nodes(container), container.count);
        self.levels.push(Level { container, rest: [].iter(), batches, is_part, has_new_keys });
        Ok(())
    }

    #[inline(always)]
    fn scalar(&self, offset: usize, sink: &mut impl Sink) -> Result<(), Objection> {
        // The machine has read this scalar before, so it is there.
        scalar::use_at(self.document.pickle, offset, Writing(sink)).unwrap_or(Ok(()))
    }

    fn bytes(&self, node: Option<&Node>) -> &'d [u8] {
        match node.map(|node| node.at()) {
            Some(At::Scalar(offset)) => match scalar::at(self.document.pickle, offset) {
                Some(Scalar::Text(bytes) | Scalar::Bytes(bytes)) => bytes,
                _ => &[],
            },
            _ => &[],
        }
    }

    /// The address of the value that was begun last.
    fn address(&self) -> String {
        address::join(self.levels.iter().filter_map(|level| self.step(level)).collect())
    }

    fn step(&self, level: &Level<'d>) -> Option<String> {
        let ahead = level.batches.map(<[Node]>::len).sum::<usize>() + level.rest.len();
        let begun = level.container.count as usize - ahead.min(level.container.count as usize);
        match level.container.kind {
            _ if begun == 0 => None,
            Kind::Dict => Some(format!("key {}", self.key(level.container, begun.div_ceil(2)))),
            // Its elements are a level of their own.
            Kind::ImproperList if ahead > 0 => None,
            Kind::ImproperList => Some("tail".to_owned()),
            _ => Some(format!("element {begun}")),
        }
    }

    /// Shows the `nth` key of a dict, counting from 1.
    fn key(&self, dict: &'d Container, nth: usize) -> String {
        let node = self.document.arena.batches(dict).flatten().nth(2 * nth - 2);
        let container = node.and_then(|node| self.document.arena.container(*node));
        if let Some(atom) = container.filter(|container| container.kind == Kind::Atom) {
            return format!(":{}", String::from_utf8_lossy(self.bytes(self.document.arena.nodes(atom).first())));
        }
        match node.map(|node| node.at()) {
            Some(At::Scalar(offset)) => {
                scalar::at(self.document.pickle, offset).and_then(show).unwrap_or_else(|| format!("number {nth}"))
            }
            _ => format!("number {nth}"),
        }
    }
}

/// Takes the nodes after the one at `offset` as long as all of them are finite floats that are adjacent in the pickle,
/// and returns these floats. Returns none if the next node is something else.
#[inline(always)]
fn run_of_floats<'d>(pickle: &'d [u8], offset: usize, rest: &mut std::slice::Iter<'d, Node>) -> &'d [u8] {
    let mut places = (offset..).step_by(floats::SIZE).skip(1).map(Node::scalar);
    if rest.as_slice().first().copied() != places.next() {
        return &[];
    }
    let nodes = rest.as_slice();
    let after =
        1 + nodes.iter().skip(1).zip(places).take(floats::LONGEST).take_while(|(node, place)| *node == place).count();
    let bytes = pickle.get(offset..).unwrap_or_default();
    match floats::count(bytes, opcode::BINFLOAT, 1 + after) {
        0 => &[],
        count => {
            *rest = nodes.get(count - 1..).unwrap_or_default().iter();
            bytes.get(..count * floats::SIZE).unwrap_or_default()
        }
    }
}

/// Shows a key if it is short and simple.
fn show(key: Scalar<'_>) -> Option<String> {
    match key {
        Scalar::Text(bytes) => Some(address::quote(&String::from_utf8_lossy(bytes))),
        Scalar::Integer(Integer::Small(number)) => Some(number.to_string()),
        Scalar::Float(number) => Some(format!("{number:?}")),
        Scalar::None => Some("None".to_owned()),
        Scalar::Bool(value) => Some(if value { "True" } else { "False" }.to_owned()),
        _ => None,
    }
}
