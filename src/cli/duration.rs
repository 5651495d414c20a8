//! Times as people type them: `200ms`, `1.5s`, `2m`.

use std::time::Duration;

/// Reads a time with its unit; a bare number is milliseconds. Zero is refused.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.get(number.len()..) {
        Some("" | "ms") => 1e-3,
        Some("s") => 1.0,
        Some("m") => 60.0,
        Some("h") => 3600.0,
        _ => return Err(WANTED.to_owned()),
    };
    let number: f64 =
        if is_decimal(number) { number.parse().map_err(|_| WANTED)? } else { return Err(WANTED.to_owned()) };
    match Duration::try_from_secs_f64(number * unit) {
        Ok(Duration::ZERO) => Err("must be longer than 0".to_owned()),
        Ok(time) => Ok(time),
        Err(_) => Err("too long".to_owned()),
    }
}

const WANTED: &str = "expected a number with a unit (ms, s, m or h), such as 200ms, 1.5s or 2m";

/// Returns whether the text is digits with at most one point in between.
fn is_decimal(number: &str) -> bool {
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    match number.split_once('.') {
        Some((whole, fraction)) => is_digits(whole) && is_digits(fraction),
        None => is_digits(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_decimal_number_and_a_unit() {
        for (text, micros) in [
            ("200ms", 200_000),
            ("1.5s", 1_500_000),
            ("2m", 120_000_000),
            ("0.5h", 1_800_000_000),
            ("250", 250_000),
            ("0.1s", 100_000),
            ("0.001ms", 1),
            ("007s", 7_000_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_micros(micros)), "{text}");
        }
    }

    #[test]
    fn nothing_else_is_a_time() {
        for text in
            ["", "s", "-1s", "+1s", "1 s", "1e3s", "inf", "nan", ".5s", "1.s", "1.5.2s", "2min", "1S", "1µs", "1,5s"]
        {
            assert_eq!(parse(text), Err(WANTED.to_owned()), "{text}");
        }
        for text in ["0", "0s", "0.0m", "0.0000000001s"] {
            assert_eq!(parse(text), Err("must be longer than 0".to_owned()), "{text}");
        }
        assert_eq!(parse("99999999999999999999h"), Err("too long".to_owned()));
        assert_eq!(parse(&format!("{}s", "9".repeat(400))), Err("too long".to_owned()));
    }
}
