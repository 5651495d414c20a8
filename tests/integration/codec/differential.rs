//! The `eetf` crate as the second opinion where it is right; where it is not, the bytes that show it.
//!
//! A new release of it that mends one of these fails here, and then `control` can trust it further. Two of its defects
//! abort the process and can only be told of: a list of 0xFFFFFFFF elements makes it ask for 240 GB, and terms nested
//! 1,500 deep overflow its stack.

use std::panic::catch_unwind;

use eetf::{FixInteger, ImproperList, List, Map, Term, Tuple};

use super::vectors;
use super::{packet, pickle_of};

fn theirs(packet: &[u8]) -> Result<Term, String> {
    Term::decode(packet).map_err(|error| error.to_string())
}

/// Vectors that show one of the defects below.
fn is_misread(name: &str) -> bool {
    const MISREAD: [&str; 14] = [
        "minor_version 0",
        "Latin-1",
        "same atoms",
        "atom keys",
        "SMALL_ATOM_EXT",
        "sign 2",
        "float with plus",
        "goes on",
        "ends as a string",
        "list of no",
        "whole bits",
        "no bits",
        // Its hash of a map goes by the order of the keys.
        "dates as keys",
        "dates in dates",
    ];
    MISREAD.iter().any(|part| name.contains(part))
}

#[test]
fn eetf_reads_the_same_term_from_what_came_in_and_from_what_goes_out() {
    let mut compared = 0;
    for vector in vectors::terms().iter().filter(|vector| !is_misread(vector.name)) {
        let (before, after) = (theirs(&vector.packet), theirs(&vector.echo));
        let (Ok(before), Ok(after)) = (before, after) else { panic!("eetf refuses {}", vector.name) };
        assert_eq!(normal(before), normal(after), "{}", vector.name);
        compared += 1;
    }
    assert!(compared > 250, "{compared} compared");
}

/// Without the differences of form that are eetf's own: strings are not lists, numbers are what they were written as.
fn normal(term: Term) -> Term {
    match term {
        Term::ByteList(list) => {
            List::from(list.bytes.into_iter().map(|byte| FixInteger::from(byte).into()).collect::<Vec<_>>()).into()
        }
        Term::BigInteger(big) => {
            i32::try_from(&big.value).map_or(big.clone().into(), |small| FixInteger::from(small).into())
        }
        Term::List(list) => List::from(list.elements.into_iter().map(normal).collect::<Vec<_>>()).into(),
        Term::ImproperList(list) => ImproperList {
            elements: list.elements.into_iter().map(normal).collect(),
            last: Box::new(normal(*list.last)),
        }
        .into(),
        Term::Tuple(tuple) => Tuple::from(tuple.elements.into_iter().map(normal).collect::<Vec<_>>()).into(),
        Term::Map(map) => {
            Map { map: map.map.into_iter().map(|(key, value)| (normal(key), normal(value))).collect() }.into()
        }
        other => other,
    }
}

#[test]
fn bytes_that_eetf_panics_on_are_refused_here() {
    for bytes in [&[131, 68, 0][..], &[131, 82, 0]] {
        assert!(catch_unwind(|| theirs(bytes)).is_err(), "{bytes:?}");
        assert!(pickle_of(bytes).is_err());
    }
}

#[test]
fn bytes_that_eetf_refuses_or_misreads_are_read_here() {
    // 'héllo' as OTP 25 sends it.
    assert!(theirs(&packet(b"\x64\0\x05h\xe9llo")).is_err());
    // Latin-1 'Ã©' is taken for UTF-8 'é', in silence.
    assert_eq!(theirs(&packet(b"\x64\0\x02\xc3\xa9")), Ok(Term::from(eetf::Atom::from("é"))));
    // Any sign but 0 is negative.
    assert!(theirs(&packet(&[110, 1, 2, 5])).is_err());
    // FLOAT_EXT is read as f32.
    let tenth = packet(&[b"\x63" as &[u8], b"1.00000000000000005551e-01", &[0; 5]].concat());
    let Ok(Term::Float(float)) = theirs(&tenth) else { panic!("a float") };
    assert_ne!(float.value, 0.1);
    // [1 | [2]] is the list [1, 2].
    assert!(matches!(
        theirs(&packet(&[108, 0, 0, 0, 1, 97, 1, 108, 0, 0, 0, 1, 97, 2, 106])),
        Ok(Term::ImproperList(_))
    ));
    for bytes in [
        &b"\x64\0\x05h\xe9llo"[..],
        &[110, 1, 2, 5],
        &tenth[1..],
        &[108, 0, 0, 0, 1, 97, 1, 108, 0, 0, 0, 1, 97, 2, 106],
    ] {
        assert!(pickle_of(&packet(bytes)).is_ok(), "{bytes:?}");
    }
}

#[test]
fn bytes_that_eetf_takes_and_no_beam_does_are_refused_here() {
    let same_key_twice = [116, 0, 0, 0, 2, 97, 1, 97, 1, 97, 1, 97, 2];
    let not_a_number = [70, 127, 248, 0, 0, 0, 0, 0, 0];
    let trailing = [97, 1, 0];
    let long_atom = [&[118, 1, 0][..], &[b'a'; 256]].concat();
    for bytes in [&same_key_twice[..], &not_a_number, &trailing, &long_atom] {
        assert!(theirs(&packet(bytes)).is_ok() || bytes == not_a_number, "{bytes:?}");
        assert!(pickle_of(&packet(bytes)).is_err(), "{bytes:?}");
    }
}

#[test]
fn eetf_writes_negative_numbers_in_lists_as_bytes() {
    let list = Term::from(eetf::List::from([-1, -2, -3].map(|value| eetf::FixInteger::from(value).into()).to_vec()));
    let mut bytes = Vec::new();
    list.encode(&mut bytes).expect("it does not notice");
    assert_eq!(bytes, [131, 107, 0, 3, 255, 254, 253]);
}
