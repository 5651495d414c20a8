//! FLOAT_EXT, a float as text, which `term_to_binary(Term, [{minor_version, 0}])` still writes.

/// Reads the 31 bytes of a FLOAT_EXT as `binary_to_term/1` does.
///
/// The text ends with a NUL. It is a C locale float with a point (or comma) and digits on both sides: `1.5`, `+1.5e3`;
/// not `1`, `.5`, `nan` or `0x1p3`, and with nothing after the number.
pub(super) fn parse(bytes: &[u8]) -> Option<f64> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    let text = std::str::from_utf8(bytes.get(..end)?).ok()?.replacen(',', ".", 1);
    if !has_the_form(&text) {
        return None;
    }
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

fn has_the_form(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let Some((whole, rest)) = unsigned.split_once('.') else { return false };
    let (fraction, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    [whole, fraction, exponent].iter().all(|digits| is_digits(digits))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
