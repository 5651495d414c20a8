//! Splits JSON text into tokens: RFC 8259.

use std::borrow::Cow;

use super::defect::Defect;
use super::{number, string};

/// A token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token<'a> {
    ArrayStart,
    ArrayEnd,
    ObjectStart,
    ObjectEnd,
    Comma,
    Colon,
    Null,
    Bool(bool),
    Number(&'a str),
    Text(Cow<'a, str>),
    /// The end of the text.
    End,
}

/// Reads a text from left to right.
#[derive(Clone)]
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The next token and its offset.
    pub(super) fn next(&mut self) -> Result<(usize, Token<'a>), Defect> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let rest = rest.trim_start_matches([' ', '\t', '\n', '\r']);
        let start = self.text.len() - rest.len();
        let (token, length) = match rest.chars().next() {
            None => (Token::End, 0),
            Some('[') => (Token::ArrayStart, 1),
            Some(']') => (Token::ArrayEnd, 1),
            Some('{') => (Token::ObjectStart, 1),
            Some('}') => (Token::ObjectEnd, 1),
            Some(',') => (Token::Comma, 1),
            Some(':') => (Token::Colon, 1),
            Some('"') => {
                let (text, end) = string::read(self.text, start)?;
                (Token::Text(text), end - start)
            }
            Some(_) => word(rest).map_err(|message| Defect::new(start, message))?,
        };
        self.at = start + length;
        Ok((start, token))
    }
}

/// A number or literal at the beginning of `text`, and its length.
fn word(text: &str) -> Result<(Token<'_>, usize), String> {
    let end = text.find([' ', '\t', '\n', '\r', ',', ':', '[', ']', '{', '}', '"']).unwrap_or(text.len());
    let word = text.get(..end).unwrap_or_default();
    let token = match word {
        "null" => Token::Null,
        "true" => Token::Bool(true),
        "false" => Token::Bool(false),
        number if number::is_number(number) => Token::Number(number),
        other => return Err(not_json(other)),
    };
    Ok((token, end))
}

/// Why a word is not a value: usually it is a literal of another language.
fn not_json(word: &str) -> String {
    let shown: String = word.chars().take(30).flat_map(char::escape_debug).collect();
    let instead = match word {
        "True" => "true",
        "False" => "false",
        "None" | "nil" | "undefined" => "null",
        "NaN" | "Infinity" | "-Infinity" => return format!("JSON has no {shown}"),
        _ if word.starts_with('\'') => return "a string in JSON has double quotes".to_owned(),
        _ if word.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) => {
            return format!("{shown} is not a JSON number");
        }
        _ => return format!("{shown} is not a JSON value; a string has double quotes"),
    };
    format!("JSON has no {shown}; write {instead}")
}
