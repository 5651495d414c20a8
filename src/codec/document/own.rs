//! Values that have a struct of their own as a term: read out of the arguments that their class was called with.

use super::arena::{Arena, Kind, Node};
use super::scalar::Scalar;
use crate::codec::calendar::{Clock, Day, Moment, Zone};
use crate::codec::integer::Integer;

/// The moment of which these are the arguments, as `to_pickle/own` writes them; None if they are those of none.
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
    if let Scalar::Text(bytes) = node.scalar_in(pickle)? { std::str::from_utf8(bytes).ok() } else { None }
}
