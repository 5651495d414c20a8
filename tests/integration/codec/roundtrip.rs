//! Random terms survive the round trip, in whatever form they came.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::generate::{Term, term};
use super::python::Python;
use super::{list_of, packet, pickle_of, term_of};

/// What the pickle of a call with this one argument is as a term: `{<<"m">>, <<"f">>, {Argument}, nil}`.
fn call(argument: &[u8]) -> Vec<u8> {
    [b"\x68\x04\x6d\0\0\0\x01m\x6d\0\0\0\x01f\x68\x01", argument, b"\x77\x03nil"].concat()
}

proptest! {
    #![proptest_config(Config { cases: 400, failure_persistence: None, ..Config::default() })]

    #[test]
    fn a_term_in_any_form_comes_back_in_the_form_of_the_protocol(term in term(), mut chance in any::<u64>().prop_perturb(|_, rng| rng)) {
        let pickle = pickle_of(&packet(&term.in_some_form(&mut chance))).expect("a term");
        prop_assert_eq!(term_of(&pickle).expect("our own pickle"), call(&term.canonical()));
    }

    #[test]
    fn bytes_that_are_no_pickle_are_refused_or_harmless(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = term_of(&bytes);
        let _ = pickle_of(&packet(&bytes));
    }
}

#[test]
fn random_terms_come_back_from_python_in_the_same_bytes() {
    let python = std::cell::RefCell::new(Python::start());
    let config = Config { cases: 200, failure_persistence: None, ..Config::default() };
    let echo = |term: Term| {
        let bytes = term.canonical();
        let pickle = super::call("args[0]", &list_of(&bytes), None).expect("a term");
        let answer = python.borrow_mut().call(&pickle).expect("a value");
        prop_assert_eq!(term_of(&answer).expect("a result"), bytes);
        Ok(())
    };
    TestRunner::new(config).run(&term(), echo).unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn a_key_and_an_atom_of_one_spelling_stay_apart() {
    // Small calls have a small memo, where the two meet in one slot now and then.
    for number in 0..200 {
        let (text, atom) = (Term::Text(format!("n{number}")), Term::Atom(format!("n{number}")));
        let map = Term::Map(vec![(text, atom)]).canonical();
        assert_eq!(term_of(&pickle_of(&packet(&map)).expect("a term")).expect("our own pickle"), call(&map));
    }
}
