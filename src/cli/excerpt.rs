//! The part of a text that a message is about, with a caret below the character at fault.

/// The number of characters shown on each side of it.
const AROUND: usize = 36;

/// Two lines: the part of the line around the byte `at`, and the caret.
pub(super) fn excerpt(text: &str, at: usize) -> String {
    let (before, after) = text.split_at_checked(at).unwrap_or((text, ""));
    let before = before.rsplit('\n').next().unwrap_or_default();
    let after = after.split('\n').next().unwrap_or_default();
    let left = before.chars().count().saturating_sub(AROUND);
    let right: String = after.chars().take(AROUND).map(printable).collect();
    let cut = |is_cut| if is_cut { "..." } else { "" };
    let shown: String = cut(left > 0).chars().chain(before.chars().skip(left).map(printable)).collect();
    let column = shown.chars().count();
    format!("    {shown}{right}{}\n    {:column$}^", cut(after.chars().count() > AROUND), "")
}

/// Describes the position of a byte in a text.
pub(super) fn place(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count();
    let column = 1 + before.rsplit('\n').next().unwrap_or_default().chars().count();
    if line == 0 { format!("character {column}") } else { format!("line {}, character {column}", line + 1) }
}

fn printable(c: char) -> char {
    if c.is_control() { ' ' } else { c }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_is_below_the_character() {
        assert_eq!(excerpt("[1, 2,]", 6), "    [1, 2,]\n          ^");
        assert_eq!(excerpt("[\"ü\" 1]", 6), "    [\"ü\" 1]\n         ^");
        assert_eq!(excerpt("{\n\t\"a\" 1\n}", 7), "     \"a\" 1\n         ^");
        assert_eq!(excerpt("[", 1), "    [\n     ^");
        assert_eq!(excerpt("", 0), "    \n    ^");
    }

    #[test]
    fn of_a_long_text_the_part_around_it_is_shown() {
        let text = format!("[{}x{}]", "1,".repeat(1000), ",1".repeat(1000));
        let shown = excerpt(&text, 2001);
        let [line, caret] = shown.lines().collect::<Vec<_>>()[..] else { panic!("{shown}") };
        assert_eq!(line, format!("    ...{}x{},...", "1,".repeat(18), ",1".repeat(17)));
        assert_eq!(caret.find('^'), line.find('x'));
    }

    #[test]
    fn places_are_counted_in_characters_and_lines() {
        assert_eq!(place("[1, 2,]", 6), "character 7");
        assert_eq!(place("[\"ü\" 1]", 6), "character 6");
        assert_eq!(place("{\n\"a\": 1,\n}", 10), "line 3, character 1");
    }
}
