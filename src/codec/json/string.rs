//! Strings of JSON: their end, and their escapes.

use std::borrow::Cow;

use super::defect::Defect;

/// Reads the string whose opening quote is at `start`. Returns it, and the offset after it.
pub(super) fn read(text: &str, start: usize) -> Result<(Cow<'_, str>, usize), Defect> {
    let mut read = Cow::Borrowed("");
    let mut at = start + 1;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let plain = rest.find(|c: char| c == '"' || c == '\\' || c < ' ');
        let plain = plain.and_then(|length| rest.split_at_checked(length));
        let (plain, rest) = plain.ok_or_else(|| Defect::new(start, "this string has no closing quote"))?;
        append(&mut read, plain);
        at += plain.len();
        match rest.chars().next() {
            Some('"') => return Ok((read, at + 1)),
            Some('\\') => {
                let (c, length) = escape(rest).map_err(|message| Defect::new(at, message))?;
                read.to_mut().push(c);
                at += length;
            }
            control => {
                let code = u32::from(control.unwrap_or_default());
                return Err(Defect::new(at, format!("a control character in a string must be escaped: \\u{code:04x}")));
            }
        }
    }
}

/// Borrows as long as there is only one part.
fn append<'a>(read: &mut Cow<'a, str>, part: &'a str) {
    if read.is_empty() {
        *read = Cow::Borrowed(part);
    } else if !part.is_empty() {
        read.to_mut().push_str(part);
    }
}

/// The character for the escape at the beginning of `text`, and the length of the escape.
fn escape(text: &str) -> Result<(char, usize), String> {
    let c = match text.chars().nth(1) {
        Some('"') => '"',
        Some('\\') => '\\',
        Some('/') => '/',
        Some('b') => '\u{8}',
        Some('f') => '\u{c}',
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        Some('u') => return unicode(text),
        Some(other) => return Err(format!("JSON has no escape \\{}; a backslash is \\\\", other.escape_debug())),
        None => return Err("the string ends after a backslash".to_owned()),
    };
    Ok((c, 2))
}

/// `\uXXXX`, or the two of a surrogate pair.
fn unicode(text: &str) -> Result<(char, usize), String> {
    let unit = code_unit(text).ok_or("\\u must be followed by four hexadecimal digits")?;
    if let Some(c) = char::from_u32(unit) {
        return Ok((c, 6));
    }
    let other = text.get(6..).and_then(code_unit);
    let pair = other.and_then(|other| {
        let high = (0xD800..0xDC00).contains(&unit).then_some(unit - 0xD800)?;
        let low = (0xDC00..0xE000).contains(&other).then_some(other - 0xDC00)?;
        char::from_u32(0x10000 + (high << 10) + low)
    });
    pair.map(|c| (c, 12))
        .ok_or_else(|| format!("\\u{unit:04x} is half of a surrogate pair, and the other half is missing"))
}

/// The number in the `\uXXXX` at the beginning of `text`.
fn code_unit(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
}
