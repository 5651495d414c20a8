//! The paths that a source file names, found without a compiler: enough to see which file leans on which.

use std::collections::HashMap;

/// A path, one name after the other.
pub type Path = Vec<String>;

/// What a file names.
#[derive(Default)]
pub struct Named {
    /// The paths of more than one name, imports among them.
    pub paths: Vec<Path>,
    /// What each imported name stands for.
    pub imports: HashMap<String, Path>,
}

impl Named {
    /// Reads a source file up to its own tests.
    pub fn by(text: &str) -> Self {
        let tokens = tokens(text.split("#[cfg(test)]\nmod tests").next().unwrap());
        let (mut named, mut at) = (Self::default(), 0);
        while at < tokens.len() {
            let is_import = tokens[at] == "use";
            // `pub(in crate::a)` says who may see something, not what it leans on.
            let is_visibility = at >= 2 && tokens[at - 2] == "(" && tokens[at - 1] == "in";
            at += usize::from(is_import);
            let paths = tree(&tokens, &mut at);
            for (path, name) in paths.into_iter().filter(|_| !is_visibility) {
                if is_import {
                    named.imports.insert(name, path.clone());
                }
                if path.len() > 1 {
                    named.paths.push(path);
                }
            }
        }
        named
    }
}

/// Reads a path at this place, or the paths of a group, each with the name that it has from then on. Steps over anything else.
fn tree(tokens: &[String], at: &mut usize) -> Vec<(Path, String)> {
    let Some(token) = tokens.get(*at).cloned() else { return Vec::new() };
    *at += 1;
    if !is_name(&token) {
        return Vec::new();
    }
    match tokens.get(*at).map(String::as_str) {
        Some("::") => {
            *at += 1;
            let below =
                if tokens.get(*at).is_some_and(|next| next == "{") { group(tokens, at) } else { tree(tokens, at) };
            if below.is_empty() {
                return vec![(vec![token.clone()], token)];
            }
            let join = |(path, name): (Path, String)| ([token.clone()].into_iter().chain(path).collect(), name);
            below.into_iter().map(join).collect()
        }
        Some("as") => {
            let name = tokens.get(*at + 1).cloned().unwrap_or_default();
            *at += 2;
            vec![(vec![token], name)]
        }
        _ => vec![(vec![token.clone()], token)],
    }
}

fn group(tokens: &[String], at: &mut usize) -> Vec<(Path, String)> {
    let mut paths = Vec::new();
    *at += 1;
    while tokens.get(*at).is_some_and(|token| token != "}") {
        paths.extend(tree(tokens, at));
    }
    *at += 1;
    paths
}

fn is_name(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// Names, `::` and single signs, without comments and the insides of strings.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if first == '"' {
            string(rest)
        } else if is_name(rest) {
            rest.find(|next: char| !next.is_alphanumeric() && next != '_').unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        let (token, after) = rest.split_at(length);
        // A quote as a character literal begins no string.
        let (token, after) = if let Some(after) = rest.strip_prefix("'\"'") { ("'", after) } else { (token, after) };
        if !token.starts_with("//") && !token.trim().is_empty() {
            tokens.push(token.to_owned());
        }
        rest = after;
    }
    tokens
}

/// The length of a string literal.
fn string(text: &str) -> usize {
    let mut escaped = false;
    let end = text.char_indices().skip(1).find(|(_, next)| {
        let is_end = *next == '"' && !escaped;
        escaped = *next == '\\' && !escaped;
        is_end
    });
    end.map_or(text.len(), |(at, _)| at + 1)
}

#[test]
fn paths_are_found_in_imports_groups_and_expressions() {
    let text = "use super::{a::{B, C as D}, e};\n// use super::no;\nfn f() { let x = crate::g::h(\"super::no\", '\"', i); \
                super::super::j::K::new() }\npub(in crate::no) struct S;\n#[cfg(test)]\nmod tests { use super::no; }";
    let named = Named::by(text);
    let paths: Vec<String> = named.paths.iter().map(|path| path.join("::")).collect();
    let wanted = ["super::a::B", "super::a::C", "super::e", "crate::g::h", "super::super::j::K::new"];
    assert_eq!(paths, wanted);
    assert_eq!(named.imports["D"].join("::"), "super::a::C");
}
