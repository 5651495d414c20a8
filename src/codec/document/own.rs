//! Values that become a struct: read from the arguments of their class.

use super::arena::{Arena, Kind, Node};
use super::scalar::Scalar;
use crate::codec::calendar::{Clock, Day, Moment, Zone};
use crate::codec::etf::atom::MAX_CHARACTERS;
use crate::codec::integer::Integer;
use crate::codec::tensor::{MOST_DIMENSIONS, Tensor};

/// The bytes of an atom of 255 characters; zone names are shorter.
const LONGEST_TEXT: usize = 4 * MAX_CHARACTERS;

/// The date or time with these arguments, as `to_pickle/own` writes them; `None` if they are invalid.
pub(crate) fn moment<'p>(arena: &Arena, pickle: &'p [u8], arguments: &[Node]) -> Option<Moment<'p>> {
    let number = |node: &Node| integer(pickle, *node);
    let day =
        |[year, month, day]: [&Node; 3]| Some(Day { year: number(year)?, month: number(month)?, day: number(day)? });
    let clock = |[hour, minute, second, micro, precision]: [&Node; 5]| {
        Some(Clock {
            hour: number(hour)?,
            minute: number(minute)?,
            second: number(second)?,
            microsecond: number(micro)?,
            precision: number(precision)?,
        })
    };
    let moment = match arguments {
        [y, m, d] => Moment { day: Some(day([y, m, d])?), clock: None, zone: None },
        [h, min, s, us, none, precision] if none.scalar_in(pickle) == Some(Scalar::None) => {
            Moment { day: None, clock: Some(clock([h, min, s, us, precision])?), zone: None }
        }
        [y, m, d, h, min, s, us, zone, precision] => Moment {
            day: Some(day([y, m, d])?),
            clock: Some(clock([h, min, s, us, precision])?),
            zone: zone_or_none(arena, pickle, *zone)?,
        },
        _ => return None,
    };
    moment.is_valid().then_some(moment)
}

/// The tensor with these arguments; `None` if they are invalid.
pub(crate) fn tensor<'p>(arena: &Arena, pickle: &'p [u8], arguments: &[Node]) -> Option<Tensor<'p>> {
    let [kind, bits, shape, data] = arguments else { return None };
    let shape = arena.container(*shape).filter(|shape| shape.kind == Kind::Tuple && shape.count <= MOST_DIMENSIONS)?;
    let shape = arena.nodes(shape).iter().map(|size| integer(pickle, *size)).collect::<Option<Vec<_>>>()?;
    let Scalar::Bytes(data) = data.scalar_in(pickle)? else { return None };
    Tensor::new(text(pickle, *kind)?, integer(pickle, *bits)?, shape, data)
}

fn zone_or_none<'p>(arena: &Arena, pickle: &'p [u8], node: Node) -> Option<Option<Zone<'p>>> {
    if node.scalar_in(pickle) == Some(Scalar::None) {
        return Some(None);
    }
    let fields = arena.container(node).filter(|container| container.kind == Kind::Tuple)?;
    let [time_zone, zone_abbr, utc_offset, std_offset] = arena.nodes(fields) else { return None };
    Some(Some(Zone {
        time_zone: text(pickle, *time_zone)?,
        zone_abbr: text(pickle, *zone_abbr)?,
        utc_offset: integer(pickle, *utc_offset)?,
        std_offset: integer(pickle, *std_offset)?,
    }))
}

fn integer(pickle: &[u8], node: Node) -> Option<i64> {
    if let Scalar::Integer(Integer::Small(number)) = node.scalar_in(pickle)? { Some(number) } else { None }
}

fn text(pickle: &[u8], node: Node) -> Option<&str> {
    match node.scalar_in(pickle)? {
        // A text in the memo may be read again and again, so its length is limited.
        Scalar::Text(bytes) if bytes.len() <= LONGEST_TEXT => std::str::from_utf8(bytes).ok(),
        _ => None,
    }
}
