//! JSON numbers: their grammar, their Python values, and large integers as JSON numbers.

use std::str::FromStr;

use num_bigint::{BigInt, Sign};
use serde_json::Number;

use crate::codec::integer::{Big, Integer};
use crate::codec::pickle_writer::PickleWriter;

/// Returns whether the whole text is a number: RFC 8259, 6.
pub(super) fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let is_whole = is_digits(whole) && (whole == "0" || !whole.starts_with('0'));
    is_whole && fraction.is_none_or(is_digits) && exponent.is_none_or(is_digits)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Writes a number: an int with all its digits, or a float.
///
/// # Errors
/// It is too large for a float.
pub(super) fn write(text: &str, out: &mut PickleWriter) -> Result<(), String> {
    if let Ok(small) = text.parse() {
        out.int(small);
    } else if let Ok(big) = BigInt::from_str(text) {
        let (sign, magnitude) = big.to_bytes_le();
        out.integer(Integer::Big(Big::Magnitude { negative: sign == Sign::Minus, bytes: &magnitude }));
    } else {
        let float = text.parse().ok().filter(|float: &f64| float.is_finite());
        out.float(float.ok_or("the number is too large for a float")?);
    }
    Ok(())
}

/// A large integer as a JSON number.
pub(in crate::codec) fn number(big: Big<'_>) -> Number {
    let sign = if big.is_negative() { Sign::Minus } else { Sign::Plus };
    let digits = BigInt::from_bytes_le(sign, &big.magnitude()).to_string();
    // An optional sign and digits are a number.
    Number::from_str(&digits).unwrap_or_else(|_| Number::from(0))
}
