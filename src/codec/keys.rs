//! Checks map keys on their way to Python: distinct as terms, distinct in Python, hashable, not too deep.
//!
//! A map made by the BEAM usually has few keys in ascending order, all binaries or all atoms. One comparison with the
//! previous key then shows that all are distinct. Other maps are checked when they end. A map with the keys of an
//! earlier map (`records`) needs neither.

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

/// The maximum nesting of tuples in a key: Python hashes them recursively (docs/protocol.md 11.3).
const MAX_DEPTH: usize = 64;

/// The keys of all open maps, the innermost map's last.
#[derive(Debug)]
pub(crate) struct Keys<'t> {
    spans: Vec<Span>,
    records: Records<'t>,
    options: Options,
}

/// The span of a key, and its index in Python's memo, if any.
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
    /// Those of an earlier map, so far.
    Known(Slot),
    /// No key yet.
    Empty,
    /// All of one class, in ascending order.
    Ascending(Class),
    /// All of one class.
    Unordered(Class),
    /// Anything else.
    Mixed,
}

/// Keys of one class are equal in Python if and only if their bytes in the term are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Binary,
    Atom,
    Integer,
    Other,
}

impl<'t> Keys<'t> {
    /// Starts without open maps, for an input of `bytes` bytes.
    pub(crate) fn for_input(bytes: usize, options: Options) -> Self {
        Self { spans: Vec::new(), records: Records::for_input(bytes), options }
    }

    /// Begins a map of `pairs` pairs, with `reader` at the first.
    #[inline]
    pub(crate) fn open(&self, pairs: u32, reader: &Reader<'t>) -> Run {
        let known = self.records.find(pairs, reader.rest());
        Run { first: self.spans.len() as u32, order: known.map_or(Order::Empty, Order::Known) }
    }

    /// Takes the next key, if the map matches an earlier one and this key is the expected one.
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

    /// The order of the keys taken so far without checking.
    #[cold]
    fn order_of(&self, run: Run, term: &[u8]) -> Order {
        let spans = self.spans.get(run.first as usize..).unwrap_or_default();
        let before = std::iter::once(None).chain(spans.iter().map(Some));
        before.zip(spans).fold(Order::Empty, |order, (previous, span)| order.with(previous, *span, term))
    }

    /// Records the key just read, which began at `at`.
    #[inline]
    pub(crate) fn push(&mut self, run: &mut Run, term: &[u8], at: usize, end: usize) {
        // Inputs are smaller than 4 GiB.
        let span = Span { at: at as u32, end: end as u32, memo: None };
        run.order = run.order.with(self.spans.last(), span, term);
        self.spans.push(span);
    }

    /// Records the memo index of the key pushed last.
    #[inline]
    pub(crate) fn is_memoised(&mut self, index: u32) {
        self.spans.last_mut().into_iter().for_each(|span| span.memo = Some(index));
    }

    /// Ends a map, and refuses it if two of its keys are equal.
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
    /// The order with one more key.
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

/// Returns the class of a key and what distinguishes it within the class.
#[inline]
fn classify(key: &[u8]) -> (Class, &[u8]) {
    match key {
        [tag::BINARY_EXT, _, _, _, _, text @ ..] => (Class::Binary, text),
        [tag::SMALL_ATOM_UTF8_EXT, _, text @ ..] | [tag::ATOM_UTF8_EXT, _, _, text @ ..] => (Class::Atom, text),
        [tag::ATOM_EXT, _, _, text @ ..] | [tag::SMALL_ATOM_EXT, _, text @ ..] if text.is_ascii() => {
            (Class::Atom, text)
        }
        [tag::SMALL_INTEGER_EXT, ..] => (Class::Integer, key),
        // A small number in a large encoding would equal another number.
        [tag::INTEGER_EXT, 0, 0, 0, _] => (Class::Other, key),
        [tag::INTEGER_EXT, ..] => (Class::Integer, key),
        _ => (Class::Other, key),
    }
}

/// Compares only the first bytes where that is enough.
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

/// Keys equal as terms: not a map. Keys equal only in Python: a map that Python cannot hold.
fn why_equal(one: &[u8], other: &[u8]) -> What {
    let image = |key| {
        let mut bytes = Vec::new();
        equality::image(key, View::Erlang, &mut bytes).map(|()| bytes)
    };
    if image(one) == image(other) { What::DuplicateKey } else { What::KeyCollision }
}

/// The extent of a key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    pub(crate) end: usize,
    /// Whether it contains a struct: then only Python knows what it equals and whether it can be hashed.
    pub(crate) has_struct: bool,
}

impl Extent {
    /// The extent of a key without structs that ends at `end`.
    pub(crate) fn to(end: usize) -> Self {
        Self { end, has_struct: false }
    }
}

/// Checks a tuple key before it is written and returns its extent; `reader` is after its head.
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

/// Checks a map that is a key or part of one, and returns its extent; `reader` is after its head.
pub(crate) fn check_map(reader: Reader<'_>, pairs: u32, at: usize) -> Result<Extent, Fault> {
    match structs::read(pairs, reader) {
        Some((own, after)) if own.is_hashable() => return Ok(Extent::to(after.at())),
        Some(_) => None,
        None => structs::end_of_named(pairs, reader).map(|end| Extent { end, has_struct: true }),
    }
    .ok_or(Fault::new(at, What::UnhashableKey))
}

/// Returns whether Python can hash the value of a token; for tuples and maps, their contents decide.
pub(crate) fn is_hashable(token: Token<'_>) -> bool {
    !matches!(token, Token::Nil | Token::Bytes(_) | Token::List(_) | Token::Map(_))
}
