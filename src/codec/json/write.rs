//! Writes JSON text as a pickle, token by token, without recursion at any depth.

use std::borrow::Cow;
use std::collections::HashSet;

use super::bytes::{BYTES, decode};
use super::defect::Defect;
use super::number;
use super::scan::{Scanner, Token};
use crate::codec::pickle_writer::PickleWriter;

/// Writes the single value of a text.
pub(super) fn value(text: &str, out: &mut PickleWriter) -> Result<(), Defect> {
    Writer { scanner: Scanner::new(text), out, open: Vec::new() }.run(Next::Value)
}

/// Writes the keyword arguments: an object with any keys.
pub(super) fn kwargs(text: &str, out: &mut PickleWriter) -> Result<(), Defect> {
    let mut writer = Writer { scanner: Scanner::new(text), out, open: Vec::new() };
    match writer.scanner.next()? {
        (_, Token::ObjectStart) => {
            let next = writer.object()?;
            writer.run(next)
        }
        (at, other) => Err(expected("an object, as in {\"seed\": 7}", &other, at)),
    }
}

/// An open array or object.
enum Open<'a> {
    Array,
    /// With its keys so far.
    Object(HashSet<Cow<'a, str>>),
}

/// What must come next.
enum Next {
    Value,
    /// What may follow a value.
    Rest,
}

struct Writer<'a, 'o> {
    scanner: Scanner<'a>,
    out: &'o mut PickleWriter,
    open: Vec<Open<'a>>,
}

impl<'a> Writer<'a, '_> {
    /// Writes the rest.
    fn run(mut self, mut next: Next) -> Result<(), Defect> {
        loop {
            next = match next {
                Next::Value => self.value()?,
                Next::Rest if self.open.is_empty() => return self.end(),
                Next::Rest => self.rest()?,
            };
        }
    }

    fn end(mut self) -> Result<(), Defect> {
        match self.scanner.next()? {
            (_, Token::End) => Ok(()),
            (at, other) => Err(expected("nothing after the value", &other, at)),
        }
    }

    fn value(&mut self) -> Result<Next, Defect> {
        let (at, token) = self.scanner.next()?;
        match token {
            Token::Null => self.out.none(),
            Token::Bool(value) => self.out.bool(value),
            Token::Number(text) => number::write(text, self.out).map_err(|message| Defect::new(at, message))?,
            Token::Text(text) => self.out.str(&text),
            Token::ArrayStart => return self.array(),
            Token::ObjectStart => return self.bytes_or_object(),
            other => return Err(expected("a value", &other, at)),
        }
        Ok(Next::Rest)
    }

    fn array(&mut self) -> Result<Next, Defect> {
        self.out.list_start();
        if self.skip(&Token::ArrayEnd)? {
            self.out.list_end();
            return Ok(Next::Rest);
        }
        self.open.push(Open::Array);
        Ok(Next::Value)
    }

    fn object(&mut self) -> Result<Next, Defect> {
        self.out.dict_start();
        if self.skip(&Token::ObjectEnd)? {
            self.out.dict_end();
            return Ok(Next::Rest);
        }
        let mut keys = HashSet::new();
        self.key(&mut keys)?;
        self.open.push(Open::Object(keys));
        Ok(Next::Value)
    }

    /// A key and its colon.
    fn key(&mut self, keys: &mut HashSet<Cow<'a, str>>) -> Result<(), Defect> {
        let key = match self.scanner.next()? {
            (at, Token::Text(key)) if keys.contains(&key) => {
                return Err(Defect::new(at, format!("this object already has the key {key:?}")));
            }
            (_, Token::Text(key)) => key,
            (at, other) => return Err(expected("a key in double quotes", &other, at)),
        };
        self.out.str(&key);
        keys.insert(key);
        match self.scanner.next()? {
            (_, Token::Colon) => Ok(()),
            (at, other) => Err(expected("a colon after the key", &other, at)),
        }
    }

    /// Continues the innermost array or object, or ends it.
    fn rest(&mut self) -> Result<Next, Defect> {
        let (at, token) = self.scanner.next()?;
        match (self.open.pop(), token) {
            (Some(Open::Array), Token::Comma) => {
                self.open.push(Open::Array);
                return Ok(Next::Value);
            }
            (Some(Open::Object(mut keys)), Token::Comma) => {
                self.key(&mut keys)?;
                self.open.push(Open::Object(keys));
                return Ok(Next::Value);
            }
            (Some(Open::Array), Token::ArrayEnd) => self.out.list_end(),
            (Some(Open::Object(_)), Token::ObjectEnd) => self.out.dict_end(),
            (Some(Open::Array), other) => return Err(expected("a comma or ]", &other, at)),
            (_, other) => return Err(expected("a comma or }", &other, at)),
        }
        Ok(Next::Rest)
    }

    /// What follows the `{` of a value: an object, or bytes.
    fn bytes_or_object(&mut self) -> Result<Next, Defect> {
        let Some((at, text, behind)) = bytes(self.scanner.clone()) else { return self.object() };
        self.out.bytes(&decode(&text).map_err(|message| Defect::new(at, message))?);
        self.scanner = behind;
        Ok(Next::Rest)
    }

    /// Takes the next token if it is this one.
    fn skip(&mut self, wanted: &Token<'_>) -> Result<bool, Defect> {
        let mut ahead = self.scanner.clone();
        let is_wanted = ahead.next()?.1 == *wanted;
        if is_wanted {
            self.scanner = ahead;
        }
        Ok(is_wanted)
    }
}

/// The text of `"$bytes": text}`, its offset, and the position after it.
fn bytes(mut ahead: Scanner<'_>) -> Option<(usize, Cow<'_, str>, Scanner<'_>)> {
    let mut next = || ahead.next().ok();
    let (Token::Text(key), Token::Colon) = (next()?.1, next()?.1) else { return None };
    let (at, Token::Text(text)) = next()? else { return None };
    (key == BYTES && next()?.1 == Token::ObjectEnd).then_some((at, text, ahead))
}

fn expected(what: &str, found: &Token<'_>, at: usize) -> Defect {
    let found = match found {
        Token::ArrayStart => "[",
        Token::ArrayEnd => "]",
        Token::ObjectStart => "{",
        Token::ObjectEnd => "}",
        Token::Comma => "a comma",
        Token::Colon => "a colon",
        Token::Null => "null",
        Token::Bool(true) => "true",
        Token::Bool(false) => "false",
        Token::Number(_) => "a number",
        Token::Text(_) => "a string",
        Token::End => "the end",
    };
    Defect::new(at, format!("expected {what}, found {found}"))
}
