//! Tables and runs of numbers: the fast paths for repetitive data change neither values nor errors.

use portpool::codec::{CodecError, CodecErrorKind};
use proptest::prelude::*;

use super::generate::Term;
use super::python::Python;
use super::{list_of, packet, pickle_of, term_of};

/// Keys, some of which are equal in Python, or as terms, or have no place in its memo.
fn keys() -> Vec<Term> {
    let (text, atom) = (|text: &str| Term::Text(text.into()), |text: &str| Term::Atom(text.into()));
    vec![
        text("id"),
        atom("id"),
        text("name"),
        atom("name"),
        text("longer than eight bytes"),
        text(""),
        atom("é"),
        atom("true"),
        Term::Int(1),
        Term::Int(300),
        Term::Float(1.0),
        text(&"l".repeat(100)),
        Term::Tuple(vec![Term::Int(1), text("id")]),
    ]
}

/// A row by the numbers of its keys; each third value is a row too.
fn row(numbers: &[usize]) -> Term {
    let keys = keys();
    let value = |number: usize| match number % 3 {
        0 => {
            Term::Map(vec![(Term::Text("at".into()), Term::Float(number as f64)), (keys[number].clone(), Term::Int(0))])
        }
        _ => Term::Int(number as i128),
    };
    Term::Map(numbers.iter().map(|number| (keys[*number].clone(), value(*number))).collect())
}

/// Rows that are mostly alike: of two kinds, and now and then one with a key in place of another.
fn rows() -> impl Strategy<Value = Vec<Term>> {
    let kind = || prop::collection::vec(0..keys().len(), 1..6);
    let change = prop::option::weighted(0.1, (0..6usize, 0..keys().len()));
    (kind(), kind(), prop::collection::vec((any::<bool>(), change), 20..60)).prop_map(|(one, other, choices)| {
        let changed = |(is_one, change): (bool, Option<(usize, usize)>)| {
            let mut numbers = if is_one { one.clone() } else { other.clone() };
            if let Some((at, number)) = change {
                let at = at % numbers.len();
                numbers[at] = number;
            }
            row(&numbers)
        };
        choices.into_iter().map(changed).collect()
    })
}

/// What is wrong, wherever it is.
fn what(refusal: &CodecError) -> &str {
    refusal.message.split(" (at byte").next().unwrap_or_default()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_row_means_in_its_table_what_it_means_alone(rows in rows()) {
        let alone = rows.iter().map(|row| pickle_of(&packet(&row.canonical())));
        let first_refusal = alone.filter_map(Result::err).next();
        let table = Term::List(rows).canonical();
        match (pickle_of(&packet(&table)), first_refusal) {
            (Ok(pickle), None) => {
                let call = [b"\x68\x04\x6d\0\0\0\x01m\x6d\0\0\0\x01f\x68\x01", table.as_slice(), b"\x77\x03nil"].concat();
                prop_assert_eq!(term_of(&pickle).expect("our own pickle"), call);
            }
            (Err(refusal), Some(alone)) => prop_assert_eq!((refusal.kind, what(&refusal)), (alone.kind, what(&alone))),
            (table, alone) => prop_assert!(false, "{table:?} {alone:?}"),
        }
    }
}

#[test]
fn a_key_that_is_there_twice_after_many_rows_has_its_address() {
    let rows: Vec<Term> = (0..40).map(|number| row(if number == 33 { &[0, 2, 4, 0] } else { &[0, 2, 4, 8] })).collect();
    let refusal = pickle_of(&packet(&Term::List(rows.clone()).canonical())).unwrap_err();
    assert_eq!(refusal.kind, CodecErrorKind::Malformed, "{refusal}");
    let rows: Vec<Term> =
        rows.into_iter().enumerate().map(|(at, fine)| if at == 33 { row(&[0, 2, 4, 1]) } else { fine }).collect();
    let refusal = pickle_of(&packet(&Term::List(rows).canonical())).unwrap_err();
    assert_eq!((refusal.kind, refusal.path.as_str()), (CodecErrorKind::Unencodable, "argument 1, element 34, key :id"));
}

#[test]
fn keys_of_python_that_become_the_same_term_are_found_in_any_row() {
    let mut python = Python::start();
    let keys = ["'a'", "b'a'", "'b'", "Atom('a')", "Atom('nil')", "None"];
    let meet = |row: [usize; 2]| matches!(row, [0, 1] | [1, 0] | [4, 5] | [5, 4]);
    let rows = (0..36).map(|number| [number / 6, number % 6]).filter(|[one, other]| one != other);
    for first in rows.clone() {
        for second in rows.clone() {
            let show = |[one, other]: [usize; 2]| format!("{{k[{one}]: 1, k[{other}]: 2}}");
            let table = format!("(k := [{}], [{1}, {1}, {2}, {1}])[1]", keys.join(", "), show(first), show(second));
            let verdict = term_of(&python.eval(&table).expect(&table));
            let expected = if meet(first) { Some("element 1") } else { meet(second).then_some("element 3") };
            let row = verdict.as_ref().err().and_then(|refusal| refusal.path.split(',').next());
            assert_eq!(row, expected, "{table}");
        }
    }
}

/// A list of this many floats, with another element in its midst.
fn floats_around(count: usize, at: usize, other: &[u8]) -> Vec<u8> {
    let float = |number: usize| [&[70], &(number as f64 * -0.1).to_be_bytes()[..]].concat();
    let element = |number| if number == at { other.to_vec() } else { float(number) };
    [&[108][..], &(count as u32).to_be_bytes(), &(0..count).flat_map(element).collect::<Vec<_>>(), &[106]].concat()
}

#[test]
fn runs_of_floats_come_back_whatever_is_among_them() {
    let mut python = Python::start();
    let others: [&[u8]; 4] = [b"\x61\x01", b"\x46\0\0\0\0\0\0\0\0", b"\x6a", b"\x6d\0\0\0\x01G"];
    for count in [1, 2, 3, 1023, 1024, 1025, 2049, 5000] {
        for (at, other) in [0, 1, count / 2, count - 1].into_iter().zip(others) {
            let list = floats_around(count, at, other);
            let call = super::call("args[0]", &list_of(&list), None).expect("a list");
            assert_eq!(term_of(&python.call(&call).expect("a value")).expect("a result"), list, "{count} {at}");
        }
    }
}

#[test]
fn a_float_that_is_no_number_is_found_among_others() {
    let mut python = Python::start();
    for (count, at) in [(1, 0), (2, 1), (3000, 0), (3000, 1500), (3000, 2999)] {
        for wrong in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let list = floats_around(count, at, &[&[70], &wrong.to_be_bytes()[..]].concat());
            assert_eq!(pickle_of(&packet(&list)).unwrap_err().kind, CodecErrorKind::Malformed);
        }
        let value = format!("[float('nan') if at == {at} else at * 0.5 for at in range({count})]");
        let refusal = term_of(&python.eval(&value).expect("a list")).unwrap_err();
        assert_eq!((refusal.kind, refusal.path), (CodecErrorKind::Unencodable, format!("element {}", at + 1)));
    }
}

#[test]
fn runs_of_integers_come_back_in_their_shortest_form() {
    let mut python = Python::start();
    let edges = [0, 1, 255, 256, 65_535, 65_536, -1, -128, 0x7fff_ffff, -0x8000_0000, 0x8000_0000, 1 << 64];
    let list = Term::List((0..3000).map(|at| Term::Int(edges[at % edges.len()])).collect()).canonical();
    let call = super::call("args[0]", &list_of(&list), None).expect("a list");
    assert_eq!(term_of(&python.call(&call).expect("a value")).expect("a result"), list);
}
