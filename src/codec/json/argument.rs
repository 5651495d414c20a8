//! Decides which arguments of a shell are JSON and which are strings.

use super::number;

/// A positional argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argument<'a> {
    /// A string, taken as it is.
    Text(&'a str),
    /// JSON, which must be valid.
    Json(&'a str),
}

impl<'a> Argument<'a> {
    /// The first character decides whether an argument is JSON: `{`, `[` or `"`. Numbers, `true`, `false` and `null`
    /// are JSON too, if they are the whole argument. Everything else is a string.
    pub fn of(text: &'a str) -> Self {
        let is_literal = matches!(text, "true" | "false" | "null");
        if text.starts_with(['{', '[', '"']) || is_literal || number::is_number(text) {
            Self::Json(text)
        } else {
            Self::Text(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_like_json_is_json_and_so_is_a_whole_number_or_literal() {
        for text in ["{", "[1, 2,]", "\"", "{x}", "0", "-0", "-1.5e-3", "1e999", "12e4567", "true", "false", "null"] {
            assert_eq!(Argument::of(text), Argument::Json(text));
        }
    }

    #[test]
    fn everything_else_is_a_string() {
        let dates_and_addresses = ["2024-01-01", "12:30", "10.0.0.7", "1.2.3", "1/2", "50%", "3rd"];
        let words = ["", "-", "--", "next", "nullable", "True", "None", "NaN", "-Infinity", "'a'", "(1)", "\\[", "δ"];
        let near_numbers = ["01", "007", "1.", ".5", "+1", "1e", "1e+", "0x10", "1_000", "1,5", "--1", "-", "1f", "٣"];
        let spaces = [" 1", "1 ", " [1]", "\n{}", "\ttrue", "null "];
        for text in [&dates_and_addresses[..], &words, &near_numbers, &spaces].concat() {
            assert_eq!(Argument::of(text), Argument::Text(text));
        }
    }
}
