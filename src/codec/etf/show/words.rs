//! Terms without parts as text: numbers, atoms, binaries, strings.

use std::fmt::Write;

use num_bigint::{BigInt, Sign};

use super::style::{Style, Syntax};
use crate::codec::etf::atom::Name;
use crate::codec::integer::{Big, Integer};

/// Longer binaries and strings are abbreviated; in bytes.
const LONGEST: usize = 256;
/// How much of them is shown, in bytes.
const BEGINNING: usize = 64;
/// Larger integers are written in base 16, which takes linear time; in bytes.
const LARGEST_DECIMAL: usize = 2048;

/// Words that Erlang reserves, in this release or a later one.
const RESERVED: [&str; 29] = [
    "after", "and", "andalso", "band", "begin", "bnot", "bor", "bsl", "bsr", "bxor", "case", "catch", "cond", "div",
    "else", "end", "fun", "if", "let", "maybe", "not", "of", "or", "orelse", "receive", "rem", "try", "when", "xor",
];

impl Style {
    fn shortens(self, bytes: usize) -> bool {
        !self.full && bytes > LONGEST
    }
}

/// An integer in base 10; very large ones in base 16.
pub(super) fn integer(number: Integer<'_>, style: Style) -> String {
    match number {
        Integer::Small(number) => number.to_string(),
        Integer::Big(big) => large(big, style),
    }
}

fn large(big: Big<'_>, style: Style) -> String {
    let magnitude = big.magnitude();
    let sign = if big.is_negative() { "-" } else { "" };
    if style.shortens(magnitude.len()) {
        let beginning: Vec<u8> = magnitude.iter().rev().take(BEGINNING / 2).copied().collect();
        return format!("{sign}{}... {} bytes", base_16(beginning.iter(), style), magnitude.len());
    }
    if magnitude.len() > LARGEST_DECIMAL {
        return format!("{sign}{}", base_16(magnitude.iter().rev(), style));
    }
    let sign = if big.is_negative() { Sign::Minus } else { Sign::Plus };
    BigInt::from_bytes_le(sign, &magnitude).to_string()
}

fn base_16<'a>(bytes: impl Iterator<Item = &'a u8>, style: Style) -> String {
    let prefix = if style.syntax == Syntax::Erlang { "16#" } else { "0x" };
    bytes.fold(prefix.to_owned(), |mut text, byte| {
        append(&mut text, format_args!("{byte:02X}"));
        text
    })
}

/// The shortest text that reads back as the same float; both languages require a point.
pub(super) fn float(number: f64) -> String {
    let text = format!("{number:?}");
    match text.split_once('e') {
        Some((mantissa, exponent)) if !mantissa.contains('.') => format!("{mantissa}.0e{exponent}"),
        _ => text,
    }
}

/// An atom, quoted where necessary.
pub(super) fn atom(name: Name<'_>, syntax: Syntax) -> String {
    let name = name.text();
    match syntax {
        Syntax::Erlang if is_erlang_name(&name) => name.into_owned(),
        Syntax::Erlang => quoted(&name, '\'', syntax),
        Syntax::Elixir => elixir_atom(&name),
    }
}

fn elixir_atom(name: &str) -> String {
    match name.strip_prefix("Elixir.") {
        _ if matches!(name, "nil" | "true" | "false") => name.to_owned(),
        Some(module) if module.split('.').all(is_alias) => module.to_owned(),
        _ if is_elixir_key(name) => format!(":{name}"),
        _ => format!(":{}", quoted(name, '"', Syntax::Elixir)),
    }
}

/// Returns whether Erlang reads an atom without quotes.
fn is_erlang_name(name: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '@');
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(word) && !RESERVED.contains(&name)
}

fn is_alias(part: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    part.starts_with(|c: char| c.is_ascii_uppercase()) && part.chars().all(word)
}

/// Returns whether Elixir writes an atom key without quotes: `name: value`.
pub(super) fn is_elixir_key(name: &str) -> bool {
    let stem = name.strip_suffix(['?', '!']).unwrap_or(name);
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '@');
    stem.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && stem.chars().all(word)
}

/// A binary, as text if it is printable, otherwise as numbers.
pub(super) fn binary(bytes: &[u8], style: Style) -> String {
    let shown = if style.shortens(bytes.len()) { beginning(bytes) } else { bytes };
    let rest = if shown.len() < bytes.len() { format!("... {} bytes", bytes.len()) } else { String::new() };
    let text = std::str::from_utf8(shown).ok().filter(|text| text.chars().all(is_text));
    match (text, style.syntax) {
        (Some(""), Syntax::Erlang) => "<<>>".to_owned(),
        (Some(text), Syntax::Elixir) if rest.is_empty() => quoted(text, '"', Syntax::Elixir),
        (Some(text), syntax) => {
            let kind = if text.is_ascii() || syntax == Syntax::Elixir { "" } else { "/utf8" };
            format!("<<{}{kind}{}>>", quoted(text, '"', syntax), after_comma(&rest))
        }
        (None, syntax) => format!("<<{}{}>>", numbers(shown, syntax), after_comma(&rest)),
    }
}

/// A bitstring with a partial last byte.
pub(super) fn bits(bytes: &[u8], in_last_byte: u8, style: Style) -> String {
    let Some((last, whole)) = bytes.split_last() else { return "<<>>".to_owned() };
    if style.shortens(bytes.len()) {
        let size = whole.len() * 8 + usize::from(in_last_byte);
        return format!("<<{}, ... {size} bits>>", numbers(beginning(whole), style.syntax));
    }
    let (comma, colon) = if style.syntax == Syntax::Erlang { (",", ":") } else { (", ", "::") };
    let comma = if whole.is_empty() { "" } else { comma };
    let last = last.checked_shr(8 - u32::from(in_last_byte)).unwrap_or_default();
    format!("<<{}{comma}{last}{colon}{in_last_byte}>>", numbers(whole, style.syntax))
}

/// A list of bytes as an Erlang string, if all of them are printable.
pub(super) fn string(bytes: &[u8], style: Style) -> Option<String> {
    if style.syntax != Syntax::Erlang || !bytes.iter().all(|byte| byte.is_ascii() && is_text(char::from(*byte))) {
        return None;
    }
    let shown = if style.shortens(bytes.len()) { beginning(bytes) } else { bytes };
    let text = quoted(std::str::from_utf8(shown).ok()?, '"', Syntax::Erlang);
    let rest = if shown.len() < bytes.len() { format!(" ... {} characters", bytes.len()) } else { String::new() };
    Some(text + &rest)
}

/// The beginning, cut at a character boundary.
fn beginning(bytes: &[u8]) -> &[u8] {
    let begins = |at: &usize| bytes.get(*at).is_some_and(|byte| byte & 0xc0 != 0x80);
    let end = (BEGINNING - 3..=BEGINNING).rev().find(begins).unwrap_or(BEGINNING);
    bytes.get(..end).unwrap_or(bytes)
}

fn after_comma(rest: &str) -> String {
    if rest.is_empty() { String::new() } else { format!(", {rest}") }
}

fn numbers(bytes: &[u8], syntax: Syntax) -> String {
    let comma = if syntax == Syntax::Erlang { "," } else { ", " };
    let mut text = String::with_capacity(bytes.len() * 4);
    for (position, byte) in bytes.iter().enumerate() {
        append(&mut text, format_args!("{}{byte}", if position == 0 { "" } else { comma }));
    }
    text
}

/// Returns whether a character counts as text; U+FFFE and U+FFFF cannot be written in an Erlang string.
fn is_text(character: char) -> bool {
    matches!(character, '\n' | '\r' | '\t') || !(character.is_control() || matches!(character, '\u{fffe}' | '\u{ffff}'))
}

/// A quoted text. Characters that are invisible, or that change how the rest looks, are escaped.
fn quoted(text: &str, quote: char, syntax: Syntax) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            '#' if syntax == Syntax::Elixir && characters.peek() == Some(&'{') => out.push_str("\\#"),
            _ if character == quote => out.extend(['\\', quote]),
            _ if is_visible(character) => out.push(character),
            _ => {
                let letter = if syntax == Syntax::Erlang { 'x' } else { 'u' };
                append(&mut out, format_args!("\\{letter}{{{:X}}}", u32::from(character)));
            }
        }
    }
    out.push(quote);
    out
}

fn is_visible(character: char) -> bool {
    // Quotes are escaped elsewhere; combining marks are fine.
    matches!(character, '"' | '\'' | ' '..='~') || character.is_alphanumeric() || character.escape_debug().count() == 1
}

fn append(text: &mut String, more: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = text.write_fmt(more);
}
