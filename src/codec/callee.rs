//! What a call of one of our own globals would return, and whether its arguments are valid. Nothing is executed.

use super::document::arena::{Arena, Container, Kind, Node};
use super::document::own;
use super::document::scalar::Scalar;
use super::global::Global;

/// The value that a call returns; `None` if the arguments are wrong.
pub(super) fn call(arena: &mut Arena, pickle: &[u8], global: Global, arguments: &Container) -> Option<Node> {
    let scalar = |node: &Node| node.scalar_in(pickle);
    let kind = match (global, arena.nodes(arguments)) {
        (Global::Plain, [value]) => return Some(*value),
        (Global::Atom, [name]) => matches!(scalar(name)?, Scalar::Text(_)).then_some(Kind::Atom),
        (Global::Opaque, [term]) => matches!(scalar(term)?, Scalar::Bytes(_)).then_some(Kind::Opaque),
        (Global::ImproperList, [items, _tail]) => {
            let items = arena.container(*items)?;
            (items.kind == Kind::List && items.count > 0).then_some(Kind::ImproperList)
        }
        (Global::Struct, [fields]) if is_kind(arena, fields, Kind::Dict) => return Some(*fields),
        (Global::Dict, [pairs]) => {
            let pairs = arena.container(*pairs).filter(|pairs| pairs.kind == Kind::Tuple && pairs.count % 2 == 0)?;
            return Some(arena.add_as(Kind::Dict, &pairs.clone()));
        }
        (Global::Import, [module, _function]) => return Some(*module),
        (Global::Date | Global::Time | Global::NaiveDateTime | Global::DateTime, nodes) => {
            let moment = own::moment(arena, pickle, nodes).filter(|moment| moment.global() == global);
            let size = moment.map(|moment| moment.term_size());
            return Some(sized(arena, global, Kind::Moment, arguments, size));
        }
        (Global::Tensor, nodes) => {
            let size = own::tensor(arena, pickle, nodes).map(|tensor| tensor.term_size());
            return Some(sized(arena, global, Kind::Tensor, arguments, size));
        }
        _ => None,
    };
    Some(arena.add_as(kind?, arguments))
}

fn is_kind(arena: &Arena, node: &Node, kind: Kind) -> bool {
    arena.container(*node).is_some_and(|container| container.kind == kind)
}

/// A value with a known size as a term, or one that is refused when it is written: user code in a worker can create
/// such values.
fn sized(arena: &mut Arena, global: Global, kind: Kind, arguments: &Container, size: Option<u64>) -> Node {
    match size {
        Some(size) => arena.add_sized(kind, arguments, size),
        None => arena.add_sized(Kind::Invalid(global), arguments, 0),
    }
}
