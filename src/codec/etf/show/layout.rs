//! Breaks a term into lines: what fits stays on one line; otherwise each part starts its own.
//!
//! Whether a term fits is found by writing it until the line is full, so the time is proportional to the size of the
//! term. Numbers in a list share lines.

use super::check::Records;
use super::style::{MAX_INDENT, Style, Syntax, WIDTH};
use super::{identifier, words};
use crate::codec::error::Fault;
use crate::codec::etf::{Token, skip, token};
use crate::codec::integer::{Big, Integer};
use crate::codec::reader::Reader;

/// The maximum indentation.
const SPACES: &str = "                                        ";
const _: () = assert!(SPACES.len() == MAX_INDENT);
/// Deeper terms are never put on one line.
const DEEPEST_LINE: usize = 12;

/// Shows a term that has been checked.
pub(super) fn print(term: &[u8], style: Style, records: &Records) -> Result<String, Fault> {
    let mut printer = Printer::new(Reader::new(term), style, records, None);
    printer.run()?;
    Ok(printer.out)
}

struct Printer<'a, 'r> {
    reader: Reader<'a>,
    style: Style,
    records: &'r Records,
    out: String,
    /// The number of characters on the last line.
    column: usize,
    open: Vec<Open<'a>>,
    /// Where to give up, when all of it must fit on one line.
    room: Option<usize>,
}

/// A term that is being written.
struct Open<'a> {
    kind: Kind,
    /// How many terms are still to come, without the tail of a list.
    left: u64,
    /// Elements stored in the term as bytes.
    bytes: &'a [u8],
    /// Whether a part has been written.
    begun: bool,
    /// Whether the last part was a number.
    after_number: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    List,
    /// A list with nothing after its elements, or after the tail that comes next.
    Ended,
    Tuple,
    /// A map; in a record the keys are names.
    Map {
        is_record: bool,
    },
}

/// What comes next in an open term.
enum Next {
    Byte(u8),
    Part,
    Value { is_record: bool },
    Tail,
    End,
}

impl Open<'_> {
    fn next(&mut self) -> Next {
        if let Some((byte, rest)) = self.bytes.split_first() {
            self.bytes = rest;
            return Next::Byte(*byte);
        }
        if self.left == 0 {
            return if self.kind == Kind::List { Next::Tail } else { Next::End };
        }
        self.left -= 1;
        match self.kind {
            Kind::Map { is_record } if self.left.is_multiple_of(2) => Next::Value { is_record },
            _ => Next::Part,
        }
    }
}

impl<'a, 'r> Printer<'a, 'r> {
    fn new(reader: Reader<'a>, style: Style, records: &'r Records, room: Option<usize>) -> Self {
        Self { reader, style, records, out: String::new(), column: 0, open: Vec::new(), room }
    }

    fn run(&mut self) -> Result<(), Fault> {
        self.term()?;
        while !self.open.is_empty() && !self.is_full() {
            self.step()?;
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.room.is_some_and(|room| self.column > room || self.open.len() > DEEPEST_LINE)
    }

    /// Writes the next part of the innermost open term, or closes it.
    fn step(&mut self) -> Result<(), Fault> {
        let Some(top) = self.open.last_mut() else { return Ok(()) };
        match top.next() {
            Next::Byte(byte) => self.number(&byte.to_string()),
            Next::Part => return self.part(),
            Next::Value { is_record } => {
                self.write(if is_record { ": " } else { " => " });
                return self.term();
            }
            Next::Tail => return self.tail(),
            Next::End => self.close(),
        }
        Ok(())
    }

    /// Writes an element or a key.
    fn part(&mut self) -> Result<(), Fault> {
        let before = self.reader;
        let in_record = self.open.last().is_some_and(|top| top.kind == Kind::Map { is_record: true });
        match token::next(&mut self.reader)? {
            Token::Integer(number) => self.number(&words::integer(number, self.style)),
            Token::Float(number) => self.number(&words::float(number)),
            Token::Atom(name) if in_record => {
                self.separate(false, 0);
                self.write(&name.text());
            }
            _ => {
                self.reader = before;
                self.separate(false, 0);
                return self.term();
            }
        }
        Ok(())
    }

    /// Writes what follows the elements of a list.
    fn tail(&mut self) -> Result<(), Fault> {
        let before = self.reader;
        match token::next(&mut self.reader)? {
            Token::Nil => self.go_on(Kind::Ended, 0, &[]),
            Token::List(more) => self.go_on(Kind::List, u64::from(more), &[]),
            Token::Bytes(bytes) => self.go_on(Kind::Ended, 0, bytes),
            _ => {
                self.reader = before;
                self.go_on(Kind::Ended, 0, &[]);
                self.next_line(" ");
                self.write("| ");
                return self.term();
            }
        }
        Ok(())
    }

    fn go_on(&mut self, kind: Kind, left: u64, bytes: &'a [u8]) {
        if let Some(top) = self.open.last_mut() {
            (top.kind, top.left, top.bytes) = (kind, left, bytes);
        }
    }

    fn number(&mut self, text: &str) {
        self.separate(true, text.len());
        self.write(text);
    }

    /// Writes a comma after the previous part and finds a place for the next one.
    fn separate(&mut self, is_number: bool, length: usize) {
        let fits = self.column + length + 3 <= WIDTH;
        let Some(top) = self.open.last_mut() else { return };
        let is_list = matches!(top.kind, Kind::List | Kind::Ended);
        let shares_line = is_list && is_number && top.after_number && fits;
        let begun = std::mem::replace(&mut top.begun, true);
        top.after_number = is_number;
        if begun {
            self.write(",");
        }
        match (shares_line, begun) {
            (true, _) => self.write(" "),
            (false, true) => self.next_line(" "),
            (false, false) => self.next_line(""),
        }
    }

    /// Begins a line, or writes `instead` where everything is on one line.
    fn next_line(&mut self, instead: &str) {
        if self.room.is_some() {
            return self.write(instead);
        }
        self.column = (self.open.len() * 2).min(MAX_INDENT);
        self.out.push('\n');
        self.out.push_str(SPACES.get(..self.column).unwrap_or(SPACES));
    }

    fn write(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += text.chars().count();
    }

    /// Writes one term, or opens it.
    fn term(&mut self) -> Result<(), Fault> {
        let before = self.reader;
        let token = token::next(&mut self.reader)?;
        if self.is_long(token) {
            self.column = usize::MAX / 2;
            return Ok(());
        }
        match token {
            Token::Integer(number) => self.write(&words::integer(number, self.style)),
            Token::Float(number) => self.write(&words::float(number)),
            Token::Atom(name) => self.write(&words::atom(name, self.style.syntax)),
            Token::Binary(bytes) => self.write(&words::binary(bytes, self.style)),
            Token::Nil => self.write("[]"),
            Token::Bytes(bytes) => match words::string(bytes, self.style) {
                Some(text) => self.write(&text),
                None => self.enter(before, Kind::Ended, 0, bytes)?,
            },
            Token::List(count) => self.enter(before, Kind::List, u64::from(count), &[])?,
            Token::Tuple(count) => self.enter(before, Kind::Tuple, u64::from(count), &[])?,
            Token::Map(pairs) => {
                let is_record = self.style.syntax == Syntax::Elixir && self.records.has(self.reader.at());
                self.enter(before, Kind::Map { is_record }, 2 * u64::from(pairs), &[])?;
            }
            Token::Opaque => self.write(&identifier::opaque(&mut before.clone(), self.style)?),
            Token::Fun(_) => {
                self.write(&identifier::fun(&mut before.clone(), self.style)?);
                self.reader = before;
                skip(&mut self.reader)?;
            }
        }
        Ok(())
    }

    /// Returns whether a term cannot fit, before writing it in vain.
    fn is_long(&self, token: Token<'_>) -> bool {
        let length = match token {
            Token::Binary(bytes) | Token::Bytes(bytes) => bytes.len(),
            Token::Integer(Integer::Big(Big::Magnitude { bytes, .. })) => bytes.len(),
            _ => 0,
        };
        self.room.is_some_and(|room| length > room)
    }

    /// Writes a term with parts on this line if it fits, or opens it.
    fn enter(&mut self, before: Reader<'a>, kind: Kind, left: u64, bytes: &'a [u8]) -> Result<(), Fault> {
        if self.room.is_none() {
            let room = WIDTH.saturating_sub(self.column + 1);
            let mut line = Printer::new(before, self.style, self.records, Some(room));
            line.run()?;
            if !line.is_full() {
                self.reader = line.reader;
                self.write(&line.out);
                return Ok(());
            }
        }
        self.write(match (kind, self.style.syntax) {
            (Kind::List | Kind::Ended, _) => "[",
            (Kind::Tuple, _) => "{",
            (Kind::Map { .. }, Syntax::Erlang) => "#{",
            (Kind::Map { .. }, Syntax::Elixir) => "%{",
        });
        self.open.push(Open { kind, left, bytes, begun: false, after_number: false });
        Ok(())
    }

    fn close(&mut self) {
        let Some(done) = self.open.pop() else { return };
        self.next_line("");
        self.write(if matches!(done.kind, Kind::List | Kind::Ended) { "]" } else { "}" });
    }
}
