//! Random terms, in the form that the server writes and in any form that a BEAM may write.

use proptest::prelude::*;
use proptest::test_runner::TestRng;

/// A term of docs/types.md.
#[derive(Debug, Clone, PartialEq)]
pub enum Term {
    Int(i128),
    Float(f64),
    Atom(String),
    Text(String),
    Bits(Vec<u8>),
    List(Vec<Term>),
    Improper(Vec<Term>, Box<Term>),
    Tuple(Vec<Term>),
    /// Keys differ in Python.
    Map(Vec<(Term, Term)>),
}

pub fn term() -> impl Strategy<Value = Term> {
    scalar().prop_recursive(6, 200, 12, |inner| {
        let many = prop::collection::vec(inner.clone(), 0..12);
        prop_oneof![
            many.clone().prop_map(Term::List),
            many.clone().prop_map(Term::Tuple),
            prop::collection::vec(any::<u8>().prop_map(|byte| Term::Int(byte.into())), 1..30).prop_map(Term::List),
            (prop::collection::vec(inner.clone(), 1..5), scalar())
                .prop_map(|(items, tail)| Term::Improper(items, Box::new(tail))),
            prop::collection::vec((any::<u8>(), inner), 0..40).prop_map(map),
        ]
    })
}

fn scalar() -> impl Strategy<Value = Term> {
    prop_oneof![
        any::<i8>().prop_map(|number| Term::Int(number.into())),
        any::<i64>().prop_map(|number| Term::Int(number.into())),
        any::<i128>().prop_map(Term::Int),
        (0..127u32, -2..=2i128, any::<bool>())
            .prop_map(|(bits, near, minus)| Term::Int(if minus { -(1 << bits) } else { 1 << bits } + near)),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Term::Float),
        "[a-zé\u{3b4}]{0,12}".prop_map(Term::Atom),
        "\\PC{0,20}".prop_map(Term::Text),
        "[a-z]{250,260}".prop_map(Term::Text),
        any::<u8>().prop_map(|byte| Term::Bits(vec![77, 0, 0, 0, 1, 3, byte])),
    ]
}

/// Keys of all kinds, and none that is equal to another in Python: each has a number of its own.
fn map(entries: Vec<(u8, Term)>) -> Term {
    let key = |number: usize, kind: u8| match kind % 6 {
        0 | 1 => Term::Text(format!("t{number}")),
        2 => Term::Atom(format!("a{number}")),
        3 => Term::Int(number as i128 * 1000),
        4 => Term::Float(number as f64 + 0.5),
        _ => Term::Tuple(vec![Term::Int(number as i128), Term::Atom("é".into()), Term::Tuple(vec![])]),
    };
    let same_kind = entries.first().is_some_and(|(kind, _)| kind % 2 == 0).then(|| entries[0].0);
    let entries = entries.into_iter().rev().enumerate();
    Term::Map(entries.map(|(number, (kind, value))| (key(number, same_kind.unwrap_or(kind)), value)).collect())
}

impl Term {
    /// The form in which the server writes it (docs/protocol.md 11.2).
    pub fn canonical(&self) -> Vec<u8> {
        self.write(&mut |_| 0)
    }

    /// A form that means the same, chosen by chance.
    pub fn in_some_form(&self, chance: &mut TestRng) -> Vec<u8> {
        self.write(&mut |forms| (chance.next_u32() % forms) as usize)
    }

    fn write(&self, choose: &mut impl FnMut(u32) -> usize) -> Vec<u8> {
        match self {
            Self::Int(number) => integer(*number, choose(2) == 1),
            Self::Float(number) if choose(2) == 1 => {
                let mut text = format!("{number:.20e}").into_bytes();
                text.resize(31, 0);
                [&[99], text.as_slice()].concat()
            }
            Self::Float(number) => [&[70], &number.to_be_bytes()[..]].concat(),
            Self::Atom(name) => atom(name, choose(4)),
            Self::Text(text) => [&[109], &(text.len() as u32).to_be_bytes()[..], text.as_bytes()].concat(),
            Self::Bits(bytes) => bytes.clone(),
            Self::List(items) if items.is_empty() => {
                [&[106][..], &[107, 0, 0], &[108, 0, 0, 0, 0, 106]][choose(3)].to_vec()
            }
            Self::List(items) => match (bytes(items), choose(3)) {
                (Some(bytes), 1) => [&[107], &(bytes.len() as u16).to_be_bytes()[..], &bytes].concat(),
                (_, 2) => {
                    let (front, back) = items.split_at(items.len().div_ceil(2));
                    [sequence(108, front, choose), Self::List(back.to_vec()).write(choose)].concat()
                }
                _ => [sequence(108, items, choose), vec![106]].concat(),
            },
            Self::Improper(items, tail) => [sequence(108, items, choose), tail.write(choose)].concat(),
            Self::Tuple(items) if items.len() < 256 && choose(3) != 1 => {
                [vec![104, items.len() as u8], items.iter().flat_map(|item| item.write(choose)).collect()].concat()
            }
            Self::Tuple(items) => sequence(105, items, choose),
            Self::Map(entries) => {
                let count = (entries.len() as u32).to_be_bytes();
                let mut bytes = [&[116], &count[..]].concat();
                for (key, value) in entries {
                    bytes.extend([key.write(choose), value.write(choose)].concat());
                }
                bytes
            }
        }
    }
}

fn sequence(tag: u8, items: &[Term], choose: &mut impl FnMut(u32) -> usize) -> Vec<u8> {
    let count = (items.len() as u32).to_be_bytes();
    let written: Vec<u8> = items.iter().flat_map(|item| item.write(choose)).collect();
    [&[tag], &count[..], &written].concat()
}

fn bytes(items: &[Term]) -> Option<Vec<u8>> {
    items.iter().map(|item| if let Term::Int(number) = item { u8::try_from(*number).ok() } else { None }).collect()
}

fn integer(number: i128, sloppy: bool) -> Vec<u8> {
    if let (Ok(byte), false) = (u8::try_from(number), sloppy) {
        return vec![97, byte];
    }
    if let (Ok(word), false) = (i32::try_from(number), sloppy) {
        return [&[98], &word.to_be_bytes()[..]].concat();
    }
    let magnitude = number.unsigned_abs().to_le_bytes();
    let significant = magnitude.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let length = if sloppy { 16 } else { significant };
    [&[110, length as u8, u8::from(number < 0)], &magnitude[..length]].concat()
}

fn atom(name: &str, form: usize) -> Vec<u8> {
    let latin1: Option<Vec<u8>> = name.chars().map(|character| u8::try_from(character).ok()).collect();
    match (form, latin1) {
        (1, Some(bytes)) => [&[100, 0, bytes.len() as u8], bytes.as_slice()].concat(),
        (2, Some(bytes)) => [&[115, bytes.len() as u8], bytes.as_slice()].concat(),
        (3, _) => [&[118, 0, name.len() as u8], name.as_bytes()].concat(),
        _ => [&[119, name.len() as u8], name.as_bytes()].concat(),
    }
}
