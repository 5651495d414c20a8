//! Map keys on their way to Python: distinct as terms, distinct as Python values, hashable, not too deep.
//!
//! A map made by the BEAM has few keys in ascending order, all binaries or all atoms: then one comparison with the
//! previous key tells that all are distinct. Anything else is settled when the map ends. A map with the keys of a map
//! before it (`records`) needs neither.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::distinct;
use super::equality::{self, View};
use super::error::{Fault, What};
use super::etf::{Token, skip, tag, token};
use super::options::Options;
use super::reader::Reader;
use super::records::{Key, Records, Slot};
use super::structs;

/// How deep tuples may nest in a key: Python hashes them by recursion (docs/protocol.md 11.3).
const MAX_DEPTH: usize = 64;

/// The keys of the maps that are open, the innermost map's last.
#[derive(Debug)]
pub(crate) struct Keys<'t> {
    spans: Vec<Span>,
    records: Records<'t>,
    options: Options,
}

/// Where a key stands, and where Python's memo has it if it does.
#[derive(Debug, Clone, Copy)]
struct Span {
    at: u32,
    end: u32,
    memo: Option<u32>,
}

/// The keys of one open map so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    first: u32,
    order: Order,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// Those of a map before it, as far as they go.
    Known(Slot),
    /// No key yet.
    Empty,
    /// All of one class, each greater than the one before.
    Ascending(Class),
    /// All of one class.
    Unordered(Class),
    /// Anything.
    Mixed,
}

/// Keys of one class are equal in Python exactly if the same bytes stand in the term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Binary,
    Atom,
    Integer,
    Other,
}

impl<'t> Keys<'t> {
    /// No map is open yet, in an input of so many bytes.
    pub(crate) fn for_input(bytes: usize, options: Options) -> Self {
        Self { spans: Vec::new(), records: Records::for_input(bytes), options }
    }

    /// Begins a map of so many pairs, the first of which `reader` stands before.
    #[inline]
    pub(crate) fn open(&self, pairs: u32, reader: &Reader<'t>) -> Run {
        let known = self.records.find(pairs, reader.rest());
        Run { first: self.spans.len() as u32, order: known.map_or(Order::Empty, Order::Known) }
    }

    /// Takes the next key, if the map is like one before and this key is its next.
    #[inline]
    pub(crate) fn take_known(&mut self, run: &mut Run, reader: &mut Reader<'t>) -> Option<Key<'t>> {
        let Order::Known(slot) = run.order else { return None };
        let position = self.spans.len() - run.first as usize;
        match self.records.key(slot, position).filter(|key| reader.rest().starts_with(key.raw)) {
            Some(key) => {
                let (at, end) = (reader.at(), reader.at() + key.raw.len());
                reader.go_to(end);
                self.spans.push(Span { at: at as u32, end: end as u32, memo: Some(key.memo) });
                Some(*key)
            }
            None => {
                run.order = self.order_of(*run, reader.whole());
                None
            }
        }
    }

    /// The order of keys that were taken without a look at it.
    #[cold]
    fn order_of(&self, run: Run, term: &[u8]) -> Order {
        let spans = self.spans.get(run.first as usize..).unwrap_or_default();
        let before = std::iter::once(None).chain(spans.iter().map(Some));
        before.zip(spans).fold(Order::Empty, |order, (previous, span)| order.with(previous, *span, term))
    }

    /// Takes note of a key that has just been read, and which began at `at`.
    #[inline]
    pub(crate) fn push(&mut self, run: &mut Run, term: &[u8], at: usize, end: usize) {
        // Inputs have less than 4 GiB.
        let span = Span { at: at as u32, end: end as u32, memo: None };
        run.order = run.order.with(self.spans.last(), span, term);
        self.spans.push(span);
    }

    /// Takes note of where Python's memo has the key that was pushed last.
    #[inline]
    pub(crate) fn is_memoised(&mut self, index: u32) {
        self.spans.last_mut().into_iter().for_each(|span| span.memo = Some(index));
    }

    /// Ends a map: refuses it if two of its keys are equal.
    #[inline]
    pub(crate) fn close(&mut self, run: Run, term: &'t [u8]) -> Result<(), Fault> {
        let first = run.first as usize;
        if !matches!(run.order, Order::Known(_)) {
            let spans = self.spans.get(first..).unwrap_or_default();
            match run.order {
                Order::Unordered(_) => distinct_texts(term, spans)?,
                Order::Mixed => distinct_values(term, spans, self.options)?,
                Order::Known(_) | Order::Empty | Order::Ascending(_) => {}
            }
            self.records.learn(spans.iter().map(|span| (span.of(term), span.memo)));
        }
        self.spans.truncate(first);
        Ok(())
    }
}

impl Order {
    /// The order with one key more.
    #[inline]
    fn with(self, previous: Option<&Span>, span: Span, term: &[u8]) -> Self {
        let (class, text) = classify(span.of(term));
        match (self, previous) {
            (_, _) if class == Class::Other => Self::Mixed,
            (Self::Empty, _) => Self::Ascending(class),
            (Self::Ascending(same), Some(previous)) if same == class => {
                if precedes(classify(previous.of(term)).1, text) { self } else { Self::Unordered(class) }
            }
            (Self::Unordered(same), _) if same == class => self,
            _ => Self::Mixed,
        }
    }
}

impl Span {
    fn of(self, term: &[u8]) -> &[u8] {
        term.get(self.at as usize..self.end as usize).unwrap_or_default()
    }

    fn fault(self, what: What) -> Fault {
        Fault::new(self.at as usize, what)
    }
}

/// Tells the class of a key and what makes it distinct within the class.
#[inline]
fn classify(key: &[u8]) -> (Class, &[u8]) {
    match key {
        [tag::BINARY_EXT, _, _, _, _, text @ ..] => (Class::Binary, text),
        [tag::SMALL_ATOM_UTF8_EXT, _, text @ ..] | [tag::ATOM_UTF8_EXT, _, _, text @ ..] => (Class::Atom, text),
        [tag::ATOM_EXT, _, _, text @ ..] | [tag::SMALL_ATOM_EXT, _, text @ ..] if text.is_ascii() => {
            (Class::Atom, text)
        }
        [tag::SMALL_INTEGER_EXT, ..] => (Class::Integer, key),
        // A small number in a large form would be another number's equal.
        [tag::INTEGER_EXT, 0, 0, 0, _] => (Class::Other, key),
        [tag::INTEGER_EXT, ..] => (Class::Integer, key),
        _ => (Class::Other, key),
    }
}

/// Compares the first bytes alone where that is enough.
#[inline]
fn precedes(left: &[u8], right: &[u8]) -> bool {
    match distinct::head(left).cmp(&distinct::head(right)) {
        Ordering::Equal => left < right,
        order => order.is_lt(),
    }
}

fn distinct_texts(term: &[u8], spans: &[Span]) -> Result<(), Fault> {
    let text = |position| spans.get(position).map_or(&[][..], |span: &Span| classify(span.of(term)).1);
    let twice = distinct::twice(spans.len(), text).and_then(|position| spans.get(position));
    twice.map_or(Ok(()), |span| Err(span.fault(What::DuplicateKey)))
}

fn distinct_values(term: &[u8], spans: &[Span], options: Options) -> Result<(), Fault> {
    let mut images = Vec::new();
    let view = View::Python(options);
    let ends = spans.iter().map(|span| equality::image(span.of(term), view, &mut images).map(|()| images.len()));
    let ends = ends.collect::<Result<Vec<_>, _>>()?;
    let mut seen = HashMap::with_capacity(spans.len());
    let mut from = 0;
    for (span, end) in spans.iter().zip(ends) {
        let image = images.get(from..end).unwrap_or_default();
        if let Some(other) = seen.insert(image, *span) {
            return Err(span.fault(why_equal(other.of(term), span.of(term))));
        }
        from = end;
    }
    Ok(())
}

/// Equal as terms: not a map at all. Equal in Python only: a map that Python cannot hold.
fn why_equal(one: &[u8], other: &[u8]) -> What {
    let image = |key| {
        let mut bytes = Vec::new();
        equality::image(key, View::Erlang, &mut bytes).map(|()| bytes)
    };
    if image(one) == image(other) { What::DuplicateKey } else { What::KeyCollision }
}

/// How far a key goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    pub(crate) end: usize,
    /// Whether there is a struct in it: then Python alone can tell what it is equal to, and whether it can be hashed.
    pub(crate) has_struct: bool,
}

impl Extent {
    /// The extent of a key without structs that ends there.
    pub(crate) fn to(end: usize) -> Self {
        Self { end, has_struct: false }
    }
}

/// Checks a key that is a tuple before it is written, and tells where it ends; `reader` stands after its head.
pub(crate) fn check_tuple(mut reader: Reader<'_>, arity: u32) -> Result<Extent, Fault> {
    let mut open = vec![arity];
    let mut has_struct = false;
    while let Some(left) = open.last_mut() {
        if *left == 0 {
            open.pop();
            continue;
        }
        *left -= 1;
        let before = reader.at();
        match token::next(&mut reader)? {
            Token::Tuple(_) if open.len() == MAX_DEPTH => return Err(Fault::new(before, What::DeepKey)),
            Token::Tuple(arity) => open.push(arity),
            Token::Fun(_) => {
                reader.go_to(before);
                skip(&mut reader)?;
            }
            Token::Map(pairs) => {
                let map = check_map(reader, pairs, before)?;
                reader.go_to(map.end);
                has_struct |= map.has_struct;
            }
            token if is_hashable(token) => {}
            _ => return Err(Fault::new(before, What::UnhashableKey)),
        }
    }
    Ok(Extent { end: reader.at(), has_struct })
}

/// Checks a key, or a part of one, that is a map and tells where it ends; `reader` stands after its head.
pub(crate) fn check_map(reader: Reader<'_>, pairs: u32, at: usize) -> Result<Extent, Fault> {
    match structs::read(pairs, reader) {
        Some((own, after)) if own.is_hashable() => return Ok(Extent::to(after.at())),
        Some(_) => None,
        None => structs::end_of_named(pairs, reader).map(|end| Extent { end, has_struct: true }),
    }
    .ok_or(Fault::new(at, What::UnhashableKey))
}

/// Tells whether Python can hash what a token becomes; tuples are up to their elements, and maps to what they stand for.
pub(crate) fn is_hashable(token: Token<'_>) -> bool {
    !matches!(token, Token::Nil | Token::Bytes(_) | Token::List(_) | Token::Map(_))
}
