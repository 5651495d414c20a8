//! Reads control-plane terms by hand: `{call, Id, Module, Function, Args, Opts}` and the like.

use std::borrow::Cow;

use super::token::{self, Token};
use super::{skip, tag};
use crate::codec::error::{CodecError, Fault};
use crate::codec::integer::{Big, Integer};
use crate::codec::reader::Reader;

/// Reads terms one after the other. Every error gives the byte; an unexpected kind of term leaves the cursor in front
/// of it.
#[derive(Debug, Clone)]
pub struct Cursor<'a> {
    reader: Reader<'a>,
}

impl<'a> Cursor<'a> {
    /// Starts at the first term of `terms`, which has no version byte.
    pub fn new(terms: &'a [u8]) -> Self {
        Self { reader: Reader::new(terms) }
    }

    /// Enters a tuple and returns the number of its elements.
    ///
    /// # Errors
    /// `Malformed` if the next term is not a tuple.
    pub fn tuple(&mut self) -> Result<usize, CodecError> {
        self.expect("a tuple", |token| match token {
            Token::Tuple(arity) => Some(arity as usize),
            _ => None,
        })
    }

    /// Enters a map and returns the number of its pairs.
    ///
    /// # Errors
    /// `Malformed` if the next term is not a map.
    pub fn map(&mut self) -> Result<usize, CodecError> {
        self.expect("a map", |token| match token {
            Token::Map(pairs) => Some(pairs as usize),
            _ => None,
        })
    }

    /// Reads an atom.
    ///
    /// # Errors
    /// `Malformed` if the next term is not an atom.
    pub fn atom(&mut self) -> Result<Cow<'a, str>, CodecError> {
        self.expect("an atom", |token| match token {
            Token::Atom(name) => Some(name.text()),
            _ => None,
        })
    }

    /// Reads an integer from 0 to 2^64-1, in any encoding (docs/protocol.md 3.1).
    ///
    /// # Errors
    /// `Malformed` if the next term is anything else.
    pub fn u64(&mut self) -> Result<u64, CodecError> {
        self.expect("an integer from 0 to 2^64-1", |token| match token {
            Token::Integer(Integer::Small(number)) => u64::try_from(number).ok(),
            Token::Integer(Integer::Big(big)) => unsigned(big),
            _ => None,
        })
    }

    /// Reads text: an atom, a UTF-8 binary or a charlist (docs/protocol.md 4.1).
    ///
    /// # Errors
    /// `Malformed` if the next term is anything else.
    pub fn text(&mut self) -> Result<Cow<'a, str>, CodecError> {
        const WANTED: &str = "an atom, a UTF-8 binary or a charlist";
        let before = self.reader.at();
        let text = match token::next(&mut self.reader).map_err(Fault::at_byte)? {
            Token::Atom(name) => Some(name.text()),
            Token::Binary(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
            Token::Nil => Some(Cow::Borrowed("")),
            Token::Bytes(bytes) => Some(bytes.iter().map(|byte| char::from(*byte)).collect()),
            Token::List(count) => self.characters(count).map_err(Fault::at_byte)?.map(Cow::Owned),
            _ => None,
        };
        text.ok_or_else(|| {
            self.reader.go_to(before);
            unexpected(before, WANTED)
        })
    }

    /// Steps over exactly one term and returns its bytes, with every length checked.
    ///
    /// # Errors
    /// `Malformed` if the bytes are not a term.
    pub fn term(&mut self) -> Result<&'a [u8], CodecError> {
        let from = self.reader.at();
        skip(&mut self.reader).map_err(Fault::at_byte)?;
        Ok(self.reader.since(from))
    }

    /// Whether the next term is a list, in any of its forms.
    pub fn has_list_next(&self) -> bool {
        matches!(self.reader.peek(), Some(tag::NIL_EXT | tag::STRING_EXT | tag::LIST_EXT))
    }

    /// Checks that no bytes are left (docs/protocol.md 11.3).
    ///
    /// # Errors
    /// `Malformed` if there are.
    pub fn end(&self) -> Result<(), CodecError> {
        self.reader.end().map_err(Fault::at_byte)
    }

    fn expect<T>(&mut self, wanted: &str, pick: impl FnOnce(Token<'a>) -> Option<T>) -> Result<T, CodecError> {
        let before = self.reader.at();
        let token = token::next(&mut self.reader).map_err(Fault::at_byte)?;
        pick(token).ok_or_else(|| {
            self.reader.go_to(before);
            unexpected(before, wanted)
        })
    }

    /// Reads the code points of a LIST_EXT and its tail; `None` if it contains anything else.
    fn characters(&mut self, mut count: u32) -> Result<Option<String>, Fault> {
        let mut text = String::new();
        loop {
            for _ in 0..count {
                match character(token::next(&mut self.reader)?) {
                    Some(character) => text.push(character),
                    None => return Ok(None),
                }
            }
            match token::next(&mut self.reader)? {
                Token::Nil => return Ok(Some(text)),
                Token::List(more) => count = more,
                Token::Bytes(bytes) => {
                    text.extend(bytes.iter().map(|byte| char::from(*byte)));
                    return Ok(Some(text));
                }
                _ => return Ok(None),
            }
        }
    }
}

fn character(token: Token<'_>) -> Option<char> {
    match token {
        Token::Integer(Integer::Small(point)) => u32::try_from(point).ok().and_then(char::from_u32),
        _ => None,
    }
}

fn unsigned(big: Big<'_>) -> Option<u64> {
    match big {
        Big::Magnitude { negative: false, bytes } => {
            let mut word = [0; 8];
            word.get_mut(..bytes.len())?.copy_from_slice(bytes);
            Some(u64::from_le_bytes(word))
        }
        _ => None,
    }
}

fn unexpected(before: usize, wanted: &str) -> CodecError {
    CodecError::malformed(format!("{wanted} is expected (at byte {before})"))
}
