//! Pids, ports, references, exports, funs and bitstrings as text. Only exports and bitstrings can be read back.

use super::style::{Style, Syntax};
use super::words;
use crate::codec::error::{Fault, What};
use crate::codec::etf::atom::{self, Name};
use crate::codec::etf::tag;
use crate::codec::integer::Integer;
use crate::codec::reader::Reader;

/// Shows a term that has been checked; `reader` stands before its tag.
pub(super) fn opaque(reader: &mut Reader<'_>, style: Style) -> Result<String, Fault> {
    let syntax = style.syntax;
    match reader.u8()? {
        tag::BIT_BINARY_EXT => {
            let length = reader.length32()?;
            let in_last_byte = reader.u8()?;
            Ok(words::bits(reader.take(length)?, in_last_byte, style))
        }
        // Empty lists in front of it.
        tag::LIST_EXT => reader.u32().and_then(|_| opaque_after_lists(reader, style)),
        tag::NEW_PID_EXT | tag::PID_EXT => pid(reader, syntax),
        tag::V4_PORT_EXT => {
            let node = name(reader, syntax)?;
            Ok(format!("#Port<{node}.{}>", u64::from_be_bytes(reader.array()?)))
        }
        tag::NEW_PORT_EXT | tag::PORT_EXT => {
            let node = name(reader, syntax)?;
            Ok(format!("#Port<{node}.{}>", reader.u32()?))
        }
        tag::REFERENCE_EXT => {
            let node = name(reader, syntax)?;
            Ok(reference(&node, &[reader.u32()?], syntax))
        }
        kind @ (tag::NEWER_REFERENCE_EXT | tag::NEW_REFERENCE_EXT) => words_of_reference(reader, kind, syntax),
        tag::EXPORT_EXT => export(reader, syntax),
        other => Err(reader.fault(What::Tag(other))),
    }
}

/// Steps over further empty lists.
fn opaque_after_lists(reader: &mut Reader<'_>, style: Style) -> Result<String, Fault> {
    while reader.peek() == Some(tag::LIST_EXT) {
        reader.take(5)?;
    }
    let mut only = *reader;
    opaque(&mut only, style)
}

/// Shows the head of a fun; `reader` stands before its tag.
pub(super) fn fun(reader: &mut Reader<'_>, style: Style) -> Result<String, Fault> {
    while reader.peek() == Some(tag::LIST_EXT) {
        reader.take(5)?;
    }
    let [_tag, _size, arity, _unique, _index] = [1, 4, 1, 16, 4].map(|count| reader.take(count));
    let arity = arity?.first().copied().unwrap_or_default();
    let free = reader.u32()?;
    let module = name(reader, style.syntax)?;
    let index = integer(reader, style)?;
    let unique = integer(reader, style)?;
    let free = if free == 0 { String::new() } else { format!(", {free} free") };
    Ok(match style.syntax {
        Syntax::Erlang => format!("#Fun<{module}.{index}.{unique}{free}>"),
        Syntax::Elixir => format!("#Function<{index}.{unique}/{arity} in {module}{free}>"),
    })
}

fn pid(reader: &mut Reader<'_>, syntax: Syntax) -> Result<String, Fault> {
    let node = name(reader, syntax)?;
    let kind = if syntax == Syntax::Erlang { "Pid" } else { "PID" };
    Ok(format!("#{kind}<{node}.{}.{}>", reader.u32()?, reader.u32()?))
}

fn words_of_reference(reader: &mut Reader<'_>, kind: u8, syntax: Syntax) -> Result<String, Fault> {
    let count = reader.length16()?;
    let node = name(reader, syntax)?;
    reader.take(if kind == tag::NEWER_REFERENCE_EXT { 4 } else { 1 })?;
    let words = (0..count).map(|_| reader.u32()).collect::<Result<Vec<_>, _>>()?;
    Ok(reference(&node, &words, syntax))
}

fn reference(node: &str, words: &[u32], syntax: Syntax) -> String {
    let kind = if syntax == Syntax::Erlang { "Ref" } else { "Reference" };
    // Both languages show the last word first.
    let words: String = words.iter().rev().map(|word| format!(".{word}")).collect();
    format!("#{kind}<{node}{words}>")
}

fn export(reader: &mut Reader<'_>, syntax: Syntax) -> Result<String, Fault> {
    let module = atom_at(reader)?;
    let function = atom_at(reader)?;
    let arity = integer(reader, Style { syntax, full: true })?;
    let module = words::atom(module, syntax);
    let function = words::atom(function, syntax);
    Ok(match syntax {
        Syntax::Erlang => format!("fun {module}:{function}/{arity}"),
        Syntax::Elixir => format!("&{module}.{}/{arity}", function.trim_start_matches(':')),
    })
}

fn name(reader: &mut Reader<'_>, syntax: Syntax) -> Result<String, Fault> {
    atom_at(reader).map(|name| words::atom(name, syntax).trim_start_matches(':').to_owned())
}

fn atom_at<'a>(reader: &mut Reader<'a>) -> Result<Name<'a>, Fault> {
    atom::read(reader, What::Identifier)
}

fn integer(reader: &mut Reader<'_>, style: Style) -> Result<String, Fault> {
    let tag = reader.u8()?;
    let number = Integer::after_tag(reader, tag)?;
    number.map(|number| words::integer(number, style)).ok_or_else(|| reader.fault(What::Identifier))
}
