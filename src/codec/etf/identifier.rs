//! Pids, ports, references, exports and the heads of funs: form checked, kept as bytes.
//!
//! The limits are those of `binary_to_term/1` that do not depend on the name of the reading node.

use super::{atom, tag};
use crate::codec::error::{Fault, What};
use crate::codec::integer::Integer;
use crate::codec::reader::Reader;

/// Creations had two bits before they got 32.
const MAX_OLD_CREATION: u8 = 3;
/// The first word of a reference had 18 bits before it got 32.
const MAX_OLD_REFERENCE: u32 = (1 << 18) - 1;
/// The maximum number of words in a reference.
const MAX_REFERENCE_WORDS: usize = 5;
/// The maximum number of free variables in a fun.
const MAX_FREE_VARIABLES: u32 = 255;

/// Reads what follows the tag of a pid, port, reference or export; false for any other `tag`.
pub(super) fn after_tag(reader: &mut Reader<'_>, tag: u8) -> Result<bool, Fault> {
    match tag {
        tag::NEW_PID_EXT => named(reader, 12)?,
        tag::PID_EXT => named(reader, 8).and_then(|()| old_creation(reader))?,
        tag::V4_PORT_EXT => named(reader, 12)?,
        tag::NEW_PORT_EXT => named(reader, 8)?,
        tag::PORT_EXT => named(reader, 4).and_then(|()| old_creation(reader))?,
        tag::NEWER_REFERENCE_EXT => newer_reference(reader)?,
        tag::NEW_REFERENCE_EXT => new_reference(reader)?,
        tag::REFERENCE_EXT => old_reference(reader)?,
        tag::EXPORT_EXT => export(reader)?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// Reads what follows NEW_FUN_EXT up to the free variables, and returns how many follow.
///
/// Like `binary_to_term/1`, it ignores the size field. The variables are read as terms.
pub(super) fn fun(reader: &mut Reader<'_>) -> Result<u32, Fault> {
    let fault = reader.fault(What::Identifier);
    let [_size, _arity, _unique, _index] = [reader.take(4)?, reader.take(1)?, reader.take(16)?, reader.take(4)?];
    let free = reader.count(1)?;
    node(reader)?;
    small_integer(reader)?;
    small_integer(reader)?;
    let pid = reader.u8()?;
    let is_pid = matches!(pid, tag::NEW_PID_EXT | tag::PID_EXT) && after_tag(reader, pid)?;
    if is_pid && free <= MAX_FREE_VARIABLES { Ok(free) } else { Err(fault) }
}

fn named(reader: &mut Reader<'_>, bytes: usize) -> Result<(), Fault> {
    node(reader)?;
    reader.take(bytes).map(drop)
}

fn node(reader: &mut Reader<'_>) -> Result<(), Fault> {
    atom::read(reader, What::Identifier).map(drop)
}

fn old_creation(reader: &mut Reader<'_>) -> Result<(), Fault> {
    let fault = reader.fault(What::Identifier);
    if reader.u8()? <= MAX_OLD_CREATION { Ok(()) } else { Err(fault) }
}

fn old_reference(reader: &mut Reader<'_>) -> Result<(), Fault> {
    node(reader)?;
    old_reference_word(reader)?;
    old_creation(reader)
}

fn new_reference(reader: &mut Reader<'_>) -> Result<(), Fault> {
    let fault = reader.fault(What::Identifier);
    let words = reader.length16()?;
    if words == 0 || words > MAX_REFERENCE_WORDS {
        return Err(fault);
    }
    node(reader)?;
    old_creation(reader)?;
    old_reference_word(reader)?;
    reader.take(4 * (words - 1)).map(drop)
}

fn newer_reference(reader: &mut Reader<'_>) -> Result<(), Fault> {
    let fault = reader.fault(What::Identifier);
    let words = reader.length16()?;
    if words > MAX_REFERENCE_WORDS {
        return Err(fault);
    }
    named(reader, 4 + 4 * words)
}

fn old_reference_word(reader: &mut Reader<'_>) -> Result<(), Fault> {
    let fault = reader.fault(What::Identifier);
    if reader.u32()? <= MAX_OLD_REFERENCE { Ok(()) } else { Err(fault) }
}

fn export(reader: &mut Reader<'_>) -> Result<(), Fault> {
    node(reader)?;
    node(reader)?;
    let fault = reader.fault(What::Identifier);
    if small_integer(reader)? >= 0 { Ok(()) } else { Err(fault) }
}

fn small_integer(reader: &mut Reader<'_>) -> Result<i64, Fault> {
    let fault = reader.fault(What::Identifier);
    let tag = reader.u8()?;
    match Integer::after_tag(reader, tag)? {
        Some(Integer::Small(number)) => Ok(number),
        _ => Err(fault),
    }
}
