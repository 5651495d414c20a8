//! Builds and takes apart terms, as briefly as tests want to.

use eetf::{Atom, BigInteger, Binary, FixInteger, List, Map, Term, Tuple};

pub fn atom(name: &str) -> Term {
    Atom::from(name).into()
}

pub fn int(value: u64) -> Term {
    match i32::try_from(value) {
        Ok(small) => FixInteger::from(small).into(),
        Err(_) => BigInteger::from(value).into(),
    }
}

pub fn text(value: &str) -> Term {
    Binary::from(value.as_bytes().to_vec()).into()
}

pub fn list(elements: impl IntoIterator<Item = Term>) -> Term {
    List::from(elements.into_iter().collect::<Vec<_>>()).into()
}

pub fn tuple<const N: usize>(elements: [Term; N]) -> Term {
    Tuple::from(Vec::from(elements)).into()
}

pub fn map<'a>(entries: impl IntoIterator<Item = (&'a str, Term)>) -> Term {
    Map::from(entries.into_iter().map(|(key, value)| (atom(key), value)).collect::<std::collections::HashMap<_, _>>())
        .into()
}

pub fn encode(term: &Term) -> Vec<u8> {
    let mut bytes = Vec::new();
    term.encode(&mut bytes).unwrap();
    bytes
}

pub fn decode(bytes: &[u8]) -> Term {
    Term::decode(bytes).unwrap_or_else(|error| panic!("no term: {error}: {bytes:?}"))
}

/// The name of a tuple: its first element.
pub fn name(term: &Term) -> String {
    atom_name(&element(term, 0))
}

pub fn element(term: &Term, index: usize) -> Term {
    match term {
        Term::Tuple(tuple) => tuple.elements[index].clone(),
        other => panic!("no tuple: {other}"),
    }
}

pub fn atom_name(term: &Term) -> String {
    match term {
        Term::Atom(atom) => atom.name.clone(),
        other => panic!("no atom: {other}"),
    }
}

pub fn number(term: &Term) -> u64 {
    match term {
        Term::FixInteger(number) => u64::try_from(number.value).unwrap(),
        Term::BigInteger(number) => u64::try_from(&number.value).unwrap(),
        other => panic!("no number: {other}"),
    }
}

pub fn string(term: &Term) -> String {
    match term {
        Term::Binary(binary) => String::from_utf8(binary.bytes.clone()).unwrap(),
        other => panic!("no text: {other}"),
    }
}

pub fn elements(term: &Term) -> Vec<Term> {
    match term {
        Term::List(list) => list.elements.clone(),
        other => panic!("no list: {other}"),
    }
}

/// The value of an atom key.
pub fn get(term: &Term, key: &str) -> Term {
    match term {
        Term::Map(map) => map.map.get(&atom(key)).unwrap_or_else(|| panic!("no {key} in {term}")).clone(),
        other => panic!("no map: {other}"),
    }
}

pub fn count(term: &Term, key: &str) -> u64 {
    number(&get(term, key))
}
