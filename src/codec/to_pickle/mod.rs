//! The arguments of a call: one external term in, one pickle out, token by token (docs/worker_protocol.md 3).
//!
//! There is no intermediate tree: apart from the output, memory holds only the stack of open terms. A list becomes
//! `EMPTY_LIST MARK .. APPENDS`, a map `EMPTY_DICT MARK .. SETITEMS`, a tuple its elements and `TUPLE1..3` or `MARK ..
//! TUPLE`. An improper list is only recognised at its end: the finished list then goes to the memo and comes back as
//! the first argument of `portpool.ImproperList`. `value` writes one term, or its beginning; `own` writes structs that
//! have a Python type; `map_end` and `structs` see to the others.

use std::borrow::Cow;
use std::collections::HashSet;

use super::address::{self, Root};
use super::error::{CodecError, Fault, What};
use super::etf::{Token, token};
use super::global::Global;
use super::keys::{Keys, Run};
use super::memo::Memo;
use super::opcode;
use super::options::Options;
use super::pickle_writer::PickleWriter;
use super::reader::Reader;
use structs::Structs;

mod map_end;
mod own;
mod structs;
mod value;

/// Larger `bytes` stay where they are and travel next to the pickle.
const OUT_OF_BAND: usize = 64 << 10;

/// The maximum capacity reserved for a pickle beyond the size of its term.
const MOST_SPARE: usize = 1 << 20;

/// A call for a worker: docs/worker_protocol.md 3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded<'t> {
    /// The pickle, in which each large `bytes` is one opcode, `NEXT_BUFFER`.
    pub pickle: Vec<u8>,
    /// The large `bytes` in order, as slices of the term. Each has at least 64 KiB, so there are fewer than 65,536.
    pub buffers: Vec<&'t [u8]>,
}

/// Writes the pickle of `(module, function, (args..), {kwargs} or None)`.
///
/// `args` holds exactly one term, a proper list; `kwargs` exactly one, a map whose keys are atoms or binaries. Both are
/// without version byte, as [`Cursor::term`](super::etf::Cursor::term) returns them. docs/types.md defines the values;
/// `options` decide where there is a choice.
///
/// # Errors
/// `Malformed` if the bytes are not such terms; `Unencodable`, with the path, for the first value that Python cannot
/// represent.
pub fn call<'t>(
    module: &str,
    function: &str,
    args: &'t [u8],
    kwargs: Option<&'t [u8]>,
    options: Options,
) -> Result<Encoded<'t>, CodecError> {
    let bytes = args.len() + kwargs.map_or(0, <[u8]>::len);
    if u32::try_from(bytes).is_err() {
        return Err(CodecError::too_large(bytes as u64, u32::MAX as usize));
    }
    let mut encoder = Encoder::new(module, function, bytes, options);
    encoder.out.tuple_start();
    encoder.out.str(module);
    encoder.out.str(function);
    encoder.arguments(args).map_err(|fault| refusal(fault, Root::Arguments, args))?;
    match kwargs {
        Some(kwargs) => encoder.keywords(kwargs).map_err(|fault| refusal(fault, Root::Keywords, kwargs))?,
        None => encoder.out.none(),
    }
    encoder.out.tuple_end();
    Ok(encoder.finish())
}

/// Turns a fault into an error: with the offset if bytes are invalid, with the address if a value is.
fn refusal(fault: Fault, root: Root, term: &[u8]) -> CodecError {
    if !fault.what.is_unencodable() {
        return fault.at_byte();
    }
    CodecError::unencodable(address::of(root, term, fault.at), fault.what.to_string())
}

struct Encoder<'t, 'n> {
    out: PickleWriter,
    memo: Memo<'t>,
    open: Vec<Open>,
    keys: Keys<'t>,
    options: Options,
    buffers: Vec<&'t [u8]>,
    structs: Structs<'n>,
}

/// An open term, and how many of its terms are still to come.
#[derive(Clone, Copy)]
struct Open {
    left: u32,
    shape: Shape,
}

#[derive(Clone, Copy)]
enum Shape {
    /// A list, and the opcode that ends it: the list of arguments becomes a tuple. The tail is not counted.
    List { end: u8 },
    /// An improper list whose elements are written; its tail is counted.
    Improper,
    /// A tuple, and the opcode that ends it.
    Tuple { end: u8 },
    /// A map: alternating keys and values.
    Map {
        /// Whether its keys are likely to occur again.
        is_record: bool,
        keys: Run,
        /// Whether it has a name, so that Python may decode it.
        is_struct: bool,
        /// Whether its keys contain structs, so that Python has to build it.
        by_pairs: bool,
    },
}

impl<'t, 'n> Encoder<'t, 'n> {
    fn new(module: &'n str, function: &'n str, terms: usize, options: Options) -> Self {
        let names = module.len() + function.len();
        // Pickles of everyday terms are smaller than the terms; a STRING_EXT doubles.
        let out = PickleWriter::with_capacity(terms + (terms / 8).min(MOST_SPARE) + names + 64);
        Self {
            out,
            memo: Memo::for_input(terms),
            open: Vec::new(),
            keys: Keys::for_input(terms, options),
            options,
            buffers: Vec::new(),
            structs: Structs::new(module, function),
        }
    }

    fn finish(self) -> Encoded<'t> {
        let mut pickle = self.out.finish();
        if !self.buffers.is_empty() {
            // Its capacity was that of the term, most of which is not in it.
            pickle.shrink_to_fit();
        }
        Encoded { pickle, buffers: self.buffers }
    }

    fn arguments(&mut self, args: &'t [u8]) -> Result<(), Fault> {
        let mut reader = Reader::new(args);
        self.out.tuple_start();
        match token::next(&mut reader)? {
            Token::Nil => self.out.tuple_end(),
            Token::List(left) => self.open.push(Open { left, shape: Shape::List { end: opcode::TUPLE } }),
            Token::Bytes(bytes) => {
                self.small_integers(bytes);
                self.out.tuple_end();
            }
            _ => return Err(Fault::new(0, What::NotAList)),
        }
        self.complete(&mut reader)?;
        reader.end()
    }

    /// Writes the keyword arguments: their names become `str`, whether they are atoms or binaries.
    fn keywords(&mut self, kwargs: &'t [u8]) -> Result<(), Fault> {
        let mut reader = Reader::new(kwargs);
        let Token::Map(pairs) = token::next(&mut reader)? else { return Err(Fault::new(0, What::NotAMap)) };
        self.structs.begin_term();
        let mut names = HashSet::new();
        self.out.dict_start();
        for _ in 0..pairs {
            let at = reader.at();
            let name = keyword(&mut reader)?;
            self.out.str(&name);
            if !names.insert(name) {
                return Err(Fault::new(at, What::DuplicateKey));
            }
            self.term(&mut reader)?;
            self.complete(&mut reader)?;
        }
        self.out.dict_end();
        reader.end()
    }

    /// Continues until nothing is open.
    fn complete(&mut self, reader: &mut Reader<'t>) -> Result<(), Fault> {
        while let Some(top) = self.open.last_mut() {
            let Open { left, shape } = *top;
            if left == 0 {
                self.close(shape, reader)?;
                continue;
            }
            top.left = left - 1;
            match shape {
                Shape::Map { is_record, .. } if left % 2 == 0 => self.key(reader, is_record)?,
                Shape::Map { .. } => self.term(reader)?,
                Shape::List { .. } | Shape::Tuple { .. } | Shape::Improper => self.elements(left, reader)?,
            }
        }
        Ok(())
    }

    /// Closes a term that has no more elements.
    fn close(&mut self, shape: Shape, reader: &mut Reader<'t>) -> Result<(), Fault> {
        match shape {
            Shape::List { end } => return self.list_tail(end, reader),
            Shape::Tuple { end } => self.out.op(end),
            Shape::Map { keys, is_struct, by_pairs, .. } => {
                self.keys.close(keys, reader.whole())?;
                self.map_end(is_struct, by_pairs);
            }
            Shape::Improper => self.out.raw(&[opcode::TUPLE2, opcode::REDUCE]),
        }
        self.open.pop();
        Ok(())
    }

    /// Reads the tail of a list: usually the empty list, but it may be the rest of the list or not a list at all.
    fn list_tail(&mut self, end: u8, reader: &mut Reader<'t>) -> Result<(), Fault> {
        let before = reader.at();
        match token::next(reader)? {
            Token::Nil => {}
            Token::Bytes(bytes) => self.small_integers(bytes),
            Token::List(left) => {
                self.continue_as(Open { left, shape: Shape::List { end } });
                return Ok(());
            }
            _ if end == opcode::TUPLE => return Err(Fault::new(before, What::NotAList)),
            _ => {
                reader.go_to(before);
                self.improper();
                return Ok(());
            }
        }
        self.out.op(end);
        self.open.pop();
        Ok(())
    }

    /// Makes the finished list the first argument of `ImproperList`; the tail comes next.
    fn improper(&mut self) {
        self.out.op(opcode::APPENDS);
        let items = self.out.memoize();
        self.out.op(opcode::POP);
        self.out.global(Global::ImproperList);
        self.out.get(items);
        self.continue_as(Open { left: 1, shape: Shape::Improper });
    }

    fn continue_as(&mut self, open: Open) {
        if let Some(top) = self.open.last_mut() {
            *top = open;
        }
    }
}

/// Reads the name of a keyword argument.
fn keyword<'t>(reader: &mut Reader<'t>) -> Result<Cow<'t, str>, Fault> {
    let fault = reader.fault(What::Keyword);
    match token::next(reader)? {
        Token::Atom(name) => Ok(name.text()),
        Token::Binary(bytes) => std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| fault),
        _ => Err(fault),
    }
}
