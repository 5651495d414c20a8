//! Structs and classes with decoders and encoders. docs/types.md 1.9 and 2.6.

use super::dates::moment;
use super::generate::Term;
use super::python::Python;
use super::{list_of, packet, pickle_of, term_of};

/// A struct with one field.
fn point(x: Term) -> Term {
    Term::Map(vec![(Term::Atom("__struct__".into()), Term::Atom("Elixir.Point".into())), (Term::Atom("x".into()), x)])
}

fn map(entries: Vec<(Term, Term)>) -> Term {
    Term::Map(entries)
}

fn int(number: i128) -> Term {
    Term::Int(number)
}

/// A Python in which points are tuples, or what this expression makes of their fields.
fn with_decoder(decode: &str) -> Python {
    let mut python = Python::start();
    python.eval(&format!("decoder('Elixir.Point', {decode}) and None")).expect("a decoder");
    python
}

/// The value of an expression over one argument, in Python and back.
fn call(python: &mut Python, expression: &str, argument: &Term) -> Result<Vec<u8>, String> {
    let pickle = super::call(expression, &list_of(&argument.canonical()), None).map_err(|refusal| refusal.message)?;
    python.call(&pickle).map(|answer| term_of(&answer).expect("a result"))
}

#[test]
fn a_struct_without_a_decoder_is_the_dict_that_it_was() {
    let mut python = Python::start();
    for term in [
        point(int(1)),
        Term::List(vec![point(point(int(1))), point(map(vec![(int(1), point(int(2)))])), point(int(3))]),
        map(vec![(Term::Atom("__struct__".into()), int(1))]),
        map(vec![(Term::Text("__struct__".into()), Term::Atom("Elixir.Point".into()))]),
        map(vec![(Term::Atom("__struct__".into()), Term::Atom("nil".into()))]),
    ] {
        assert_eq!(call(&mut python, "args[0]", &term), Ok(term.canonical()), "{term:?}");
    }
}

#[test]
fn a_decoder_is_called_for_each_of_many_structs_in_a_row() {
    let mut python = with_decoder("lambda fields: fields['x']");
    let numbers = || (0..50).map(int);
    let points = Term::List(numbers().map(point).collect());
    assert_eq!(call(&mut python, "args[0]", &points), Ok(Term::List(numbers().collect()).canonical()));
    // The same keys, but no name: what stands there is no atom.
    let nameless = |x| map(vec![(Term::Atom("__struct__".into()), int(7)), (Term::Atom("x".into()), x)]);
    let mixed = |one: fn(Term) -> Term| Term::List(numbers().flat_map(|x| [one(x.clone()), nameless(x)]).collect());
    assert_eq!(call(&mut python, "args[0]", &mixed(point)), Ok(mixed(|x| x).canonical()));
}

#[test]
fn a_decoder_is_called_for_each_struct_of_its_name_at_any_depth() {
    let mut python = with_decoder("lambda fields: ('point', sorted(fields), fields['x'])");
    let pointed = |x: Term| Term::Tuple(vec![Term::Text("point".into()), Term::List(vec![Term::Atom("x".into())]), x]);
    let other = || {
        map(vec![
            (Term::Atom("__struct__".into()), Term::Atom("Elixir.Other".into())),
            (Term::Atom("x".into()), point(int(4))),
        ])
    };
    let nested = Term::List(vec![point(point(int(1))), Term::Tuple(vec![map(vec![(int(2), point(int(3)))])]), other()]);
    let expected = Term::List(vec![
        pointed(pointed(int(1))),
        Term::Tuple(vec![map(vec![(int(2), pointed(int(3)))])]),
        map(vec![
            (Term::Atom("__struct__".into()), Term::Atom("Elixir.Other".into())),
            (Term::Atom("x".into()), pointed(int(4))),
        ]),
    ]);
    assert_eq!(call(&mut python, "args[0]", &nested), Ok(expected.canonical()));
}

#[test]
fn a_struct_is_a_key_if_what_it_becomes_can_be_hashed() {
    let mut python = with_decoder("lambda fields: (fields['x'],)");
    let key = |x: Term| Term::Tuple(vec![x]);
    let given = map(vec![
        (point(int(1)), int(1)),
        (int(2), point(int(2))),
        (Term::Tuple(vec![int(3), point(int(3))]), map(vec![(point(point(int(4))), int(4))])),
        (moment(Some((2024, 2, 29)), None, None), int(5)),
    ]);
    let expected = map(vec![
        (key(int(1)), int(1)),
        (int(2), key(int(2))),
        (Term::Tuple(vec![int(3), key(int(3))]), map(vec![(key(key(int(4))), int(4))])),
        (moment(Some((2024, 2, 29)), None, None), int(5)),
    ]);
    assert_eq!(call(&mut python, "args[0]", &given), Ok(expected.canonical()));
    // A struct whose own key is a struct, and a struct among whose keys is a tuple.
    let given = map(vec![(Term::Atom("__struct__".into()), Term::Atom("Elixir.Set".into())), (point(int(1)), int(1))]);
    let expected = map(vec![(Term::Atom("__struct__".into()), Term::Atom("Elixir.Set".into())), (key(int(1)), int(1))]);
    assert_eq!(call(&mut python, "args[0]", &given), Ok(expected.canonical()));
}

#[test]
fn keys_that_become_equal_or_cannot_be_hashed_are_refused_by_python() {
    let two = map(vec![(point(int(1)), int(1)), (point(Term::Float(1.0)), int(2))]);
    let refusal = call(&mut with_decoder("lambda fields: fields['x']"), "args[0]", &two).unwrap_err();
    assert!(refusal.contains("key collision: 1.0 is equal to another key"), "{refusal}");
    let and_plain = map(vec![(point(int(1)), int(1)), (int(1), int(2))]);
    assert!(call(&mut with_decoder("lambda fields: fields['x']"), "args[0]", &and_plain).is_err());
    for python in [&mut Python::start(), &mut with_decoder("lambda fields: [fields['x']]")] {
        for key in [point(int(1)), Term::Tuple(vec![point(int(1))])] {
            let refusal = call(python, "args[0]", &map(vec![(key, int(1))])).unwrap_err();
            assert!(refusal.contains("must be hashable, by a portpool.decoder: unhashable type"), "{refusal}");
        }
    }
}

#[test]
fn the_same_struct_twice_as_a_key_is_no_map() {
    let refusal =
        pickle_of(&packet(&map(vec![(point(int(1)), int(1)), (point(int(1)), int(2))]).canonical())).unwrap_err();
    assert!(refusal.message.contains("a duplicate key"), "{refusal}");
}

#[test]
fn structs_as_keys_do_not_nest_so_that_no_input_takes_long() {
    let inside = point(map(vec![(point(int(1)), int(1))]));
    let refusal = pickle_of(&packet(&map(vec![(inside, int(1))]).canonical())).unwrap_err();
    assert!(refusal.message.contains("structs among its own keys"), "{refusal}");
    assert_eq!(refusal.path, "argument 1, key number 1, key :x, key number 1");
    // A million of them are refused at once: %{%{__struct__: :a, %{__struct__: :a, ..} => 1} => 1}
    let deep = [&b"\x83"[..], &b"\x74\0\0\0\x02\x77\x0a__struct__\x77\x01a".repeat(100_000)].concat();
    assert!(pickle_of(&deep).is_err());
}

#[test]
fn encoders_are_for_values_at_any_depth_and_the_nearest_class_counts() {
    let mut python = Python::start();
    let script = "(lambda: (exec('''\nclass Money:\n    def __init__(self, amount): self.amount = amount\n\
                  class Coin(Money): pass\nclass Table(dict): pass\nclass Pair:\n    pass\n''', globals()), None)[1])()";
    python.eval(script).expect("classes");
    // A value of the type is seen before there is an encoder.
    assert!(python.eval("[Money(1)]").unwrap_err().contains("portpool.encoder"));
    python.eval("encoder(Money, lambda money: (Atom('money'), money.amount)) and None").expect("an encoder");
    python.eval("encoder(Table, lambda table: list(table)) and None").expect("an encoder");
    python.eval("encoder(Pair, lambda pair: {'coins': [Coin(2), Table(a=Money(3))]}) and None").expect("an encoder");
    let mut same = |value: &str, plain: &str| {
        let term = |python: &mut Python, value: &str| {
            term_of(&python.eval(value).unwrap_or_else(|refusal| panic!("{value}: {refusal}"))).expect("a term")
        };
        assert_eq!(term(&mut python, value), term(&mut python, plain), "{value}");
    };
    same("[Money(1), {'a': (Coin(2),)}]", "[(Atom('money'), 1), {'a': ((Atom('money'), 2),)}]");
    same("{Money(1): Money(Money(2))}", "{(Atom('money'), 1): (Atom('money'), (Atom('money'), 2))}");
    same("Pair()", "{'coins': [(Atom('money'), 2), ['a']]}");
    same("(encoder(Coin, lambda coin: 'coin'), [Coin(1), Money(1)])[1]", "['coin', (Atom('money'), 1)]");
}
