//! Which functions calls may name: `allow` in docs/protocol.md 7.2.

use std::sync::Arc;

/// The functions that calls may name. Clones share one list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowList {
    /// `None` allows every function.
    patterns: Option<Arc<[Pattern]>>,
}

/// `module:function`. In each part, `*` matches any characters except a dot.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    module: String,
    function: String,
}

impl AllowList {
    /// The functions that match one of these patterns; `None` if one of the patterns is invalid.
    pub fn of<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let patterns: Option<Arc<[Pattern]>> = patterns.into_iter().map(Pattern::read).collect();
        patterns.map(|patterns| Self { patterns: Some(patterns) })
    }

    /// Returns whether a call may name this function.
    pub fn allows(&self, module: &str, function: &str) -> bool {
        self.patterns.as_ref().is_none_or(|patterns| patterns.iter().any(|pattern| pattern.matches(module, function)))
    }
}

impl Pattern {
    fn read(text: &str) -> Option<Self> {
        let (module, function) = text.split_once(':').filter(|(module, _)| !module.is_empty())?;
        (!function.is_empty()).then(|| Self { module: module.to_owned(), function: function.to_owned() })
    }

    fn matches(&self, module: &str, function: &str) -> bool {
        glob(self.module.as_bytes(), module.as_bytes()) && glob(self.function.as_bytes(), function.as_bytes())
    }
}

/// Returns whether a text matches a pattern. Only the last `*` may have taken too little: earlier stars have matched as
/// early as possible, and no star crosses a dot. So the time never exceeds the length of the pattern times that of the
/// text.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut seen) = (0, 0);
    // The position after the last star, and how far the text was matched when that star had taken nothing more.
    let mut star = None;
    while seen < text.len() {
        match (pattern.get(at), text.get(seen)) {
            (Some(b'*'), _) => {
                at += 1;
                star = Some((at, seen));
            }
            (Some(wanted), Some(byte)) if wanted == byte => {
                at += 1;
                seen += 1;
            }
            _ => match star {
                Some((behind, taken)) if text.get(taken) != Some(&b'.') => {
                    star = Some((behind, taken + 1));
                    (at, seen) = (behind, taken + 1);
                }
                _ => return false,
            },
        }
    }
    pattern.iter().skip(at).all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything_but_a_dot() {
        for (pattern, text, matches) in [
            ("plan", "plan", true),
            ("plan", "plans", false),
            ("plan", "pla", false),
            ("*", "anything", true),
            ("*", "", true),
            ("*", "os.system", false),
            ("*.*", "os.system", true),
            ("*.join", "path.join", true),
            ("*.join", "os.path.join", false),
            ("plan_*", "plan_", true),
            ("plan_*", "plan_a", true),
            ("plan_*", "plan_a.__globals__", false),
            ("*_plan_*", "a_plan_plan_b", true),
            ("a*b*c", "a.b.c", false),
            ("a*b*c", "aXbXbc", true),
            ("a**c", "abc", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(glob(pattern.as_bytes(), text.as_bytes()), matches, "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_take_no_more_than_the_square_of_the_text() {
        let (pattern, text) = ("*a".repeat(5_000) + "b", "a".repeat(10_000));
        assert!(!glob(pattern.as_bytes(), text.as_bytes()));
    }

    #[test]
    fn a_list_allows_what_one_of_its_patterns_names_and_an_empty_one_nothing() {
        let list = AllowList::of(["plans:*", "os.path:join"]).unwrap();
        assert!(list.allows("plans", "make") && list.allows("os.path", "join"));
        assert!(!list.allows("plans", "os.system") && !list.allows("os", "path.join") && !list.allows("plans.x", "f"));
        assert!(AllowList::default().allows("os", "system"));
        assert!(!AllowList::of([]).unwrap().allows("os", "system"));
        for wrong in ["plans", ":f", "plans:", ""] {
            assert_eq!(AllowList::of([wrong]), None, "{wrong}");
        }
    }
}
