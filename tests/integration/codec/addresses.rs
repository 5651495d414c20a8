//! Errors give an address: which argument, which key, which element.

use portpool::codec::CodecErrorKind;

use super::python::Python;
use super::{list_of, pickle_of, term_of};

/// A binary that is not UTF-8.
const BAD: &[u8] = &[109, 0, 0, 0, 1, 255];

fn path(args: &[u8]) -> String {
    let refusal = super::call("f", args, None).expect_err("not UTF-8");
    assert_eq!(refusal.kind, CodecErrorKind::Unencodable);
    refusal.path
}

fn list(terms: &[&[u8]]) -> Vec<u8> {
    [&[108], &(terms.len() as u32).to_be_bytes()[..], &terms.concat(), &[106]].concat()
}

fn map(key: &[u8], value: &[u8]) -> Vec<u8> {
    [&[116, 0, 0, 0, 1], key, value].concat()
}

#[test]
fn a_bad_argument_is_found_by_number_key_and_element() {
    let stops: Vec<&[u8]> = [&[97u8, 1][..]; 16].into_iter().chain([BAD]).collect();
    let job = map(b"\x6d\0\0\0\x05stops", &list(&stops));
    let refusal = super::call("f", &list(&[&[97, 1], &job]), None).expect_err("not UTF-8");
    assert_eq!(refusal.path, "argument 2, key \"stops\", element 17");
    assert_eq!(
        refusal.to_string(),
        "argument 2, key \"stops\", element 17: the binary is not UTF-8, so it cannot become a str: wrap it with Portpool.bytes/1 or set binaries: :bytes"
    );
}

#[test]
fn addresses_count_from_one_through_every_kind_of_container() {
    assert_eq!(path(&list_of(BAD)), "argument 1");
    assert_eq!(path(&list(&[&[97, 1], BAD])), "argument 2");
    assert_eq!(path(&list_of(&[&[104, 2, 97, 1], BAD].concat())), "argument 1, element 2");
    assert_eq!(path(&list_of(&list(&[&list(&[]), &list(&[&[106], BAD])]))), "argument 1, element 2, element 2");
    assert_eq!(path(&list_of(&map(b"\x77\x01k", BAD))), "argument 1, key :k");
    assert_eq!(path(&list_of(&map(&[98, 255, 255, 255, 254], BAD))), "argument 1, key -2");
    assert_eq!(path(&list_of(&map(&[70, 63, 248, 0, 0, 0, 0, 0, 0], BAD))), "argument 1, key 1.5");
    assert_eq!(path(&list_of(&map(&[104, 0], BAD))), "argument 1, key number 1");
    assert_eq!(path(&list_of(&map(BAD, &[106]))), "argument 1, key number 1");
    assert_eq!(path(&list_of(&map(&[&[104, 1], BAD].concat(), &[106]))), "argument 1, key number 1, element 1");
    // The tail of an improper list is what follows its elements.
    assert_eq!(path(&list_of(&[&[108, 0, 0, 0, 1, 97, 1], BAD].concat())), "argument 1, element 2");
    // What was complete before leaves no trace.
    assert_eq!(path(&list(&[&map(b"\x77\x01k", &list(&[&[104, 0], &[106]])), &[104, 0], BAD])), "argument 3");
}

#[test]
fn keywords_are_addressed_by_name() {
    let kwargs = map(b"\x77\x04seed", &list_of(BAD));
    let refusal = super::call("f", &[106], Some(&kwargs)).expect_err("not UTF-8");
    assert_eq!(refusal.path, "keyword :seed, element 1");
}

#[test]
fn a_key_collision_names_the_key() {
    // #{a => 1, <<"a">> => 2}
    let term = [116, 0, 0, 0, 2, 119, 1, b'a', 97, 1, 109, 0, 0, 0, 1, b'a', 97, 2];
    let refusal = pickle_of(&super::packet(&term)).expect_err("a collision");
    assert_eq!(refusal.path, "argument 1, key \"a\"");
}

#[test]
fn malformed_bytes_are_named_by_offset() {
    let refusal = super::call("f", &[108, 0, 0, 0, 1, 250, 106], None).expect_err("no such tag");
    assert_eq!((refusal.kind, refusal.path.as_str()), (CodecErrorKind::Malformed, ""));
    assert_eq!(refusal.message, "no term has the tag 250 (at byte 5)");
}

#[test]
fn very_deep_and_very_long_addresses_stay_readable() {
    let deep = [&[104, 1].repeat(10_000)[..], BAD].concat();
    let address = path(&list_of(&deep));
    assert!(address.len() < 500 && address.contains("9977 more"), "{address}");
    let long = map(&[&[109, 0, 0, 3, 232][..], &[b'x'; 1000]].concat(), BAD);
    assert!(path(&list_of(&long)).len() < 100);
}

#[test]
fn a_bad_result_is_found_by_key_and_element() {
    let mut python = Python::start();
    let mut refusal = |expression: &str| {
        let refusal = term_of(&python.eval(expression).expect("the pickler takes it")).expect_err(expression);
        assert_eq!(refusal.kind, CodecErrorKind::Unencodable, "{expression}");
        (refusal.path, refusal.type_name.unwrap_or_default(), refusal.message)
    };
    let mut at = |expression: &str| refusal(expression).0;
    assert_eq!(at("float('nan')"), "");
    assert_eq!(at("[1, 2, float('inf')]"), "element 3");
    assert_eq!(at("{'a': [0, {'b': (1, 2, float('-inf'))}]}"), "key \"a\", element 2, key \"b\", element 3");
    assert_eq!(at("list(range(5000)) + [float('nan')]"), "element 5001");
    assert_eq!(at("{**{i: i for i in range(3000)}, 'x': float('nan')}"), "key \"x\"");
    assert_eq!(
        at("{Atom('k'): {7: {2.5: {None: {True: {(1,): float('nan')}}}}}}"),
        "key :k, key 7, key 2.5, key None, key True, key number 1"
    );
    assert_eq!(at("{(1, float('nan')): 1}"), "key number 1, element 2");
    assert_eq!(at("ImproperList([1, float('nan')], 2)"), "element 2");
    assert_eq!(at("[ImproperList([1, 2], [3] and (float('nan'),))]"), "element 1, tail, element 1");
    assert_eq!(at("{1, 2} and [{float('nan')}]"), "element 1, element 1");
    assert_eq!(at("['ok', 'a\\ud800b']"), "element 2");
    assert_eq!(at("{'a\\ud800b': 1}"), "key \"a\u{fffd}\u{fffd}\u{fffd}b\"");
    assert_eq!(at("[Atom('x' * 256)]"), "element 1");
    assert_eq!(at("[Opaque(b'abc')]"), "element 1");
    assert_eq!(refusal("[int]"), ("element 1".into(), "builtins.int".into(), refusal("int").2));
    let function = refusal("[1, __import__('base64').b64encode]");
    assert_eq!((function.0.as_str(), function.1.as_str()), ("element 2", "base64.b64encode"));
}

#[test]
fn keys_that_become_the_same_term_are_refused() {
    let mut python = Python::start();
    for expression in [
        "{'a': 1, b'a': 2}",
        "[{None: 1, Atom('nil'): 2}]",
        "{True: 1, Atom('true'): 2}",
        "{**{i: i for i in range(20)}, 'a': 1, b'a': 2}",
        "{('a',): 1, (b'a',): 2}",
    ] {
        let refusal = term_of(&python.eval(expression).expect("a dict")).expect_err(expression);
        assert_eq!(refusal.kind, CodecErrorKind::Unencodable);
        assert!(refusal.message.contains("key collision"), "{refusal}");
    }
    assert!(term_of(&python.eval("{'a': 1, Atom('b'): 2, b'c': 3, None: 4, 'nil': 5}").expect("a dict")).is_ok());
}

#[test]
fn python_names_the_first_value_that_it_cannot_write() {
    let mut python = Python::start();
    let mut refusal = |expression: &str| python.eval(expression).expect_err(expression);
    assert!(refusal("object()").starts_with("|object|a value of type object cannot be represented"));
    assert!(
        refusal("{'a': [1, {'b': (0, object())}]}").starts_with("key \"a\", element 2, key \"b\", element 2|object|")
    );
    assert!(refusal("[1, ValueError('x')]").starts_with("element 2|ValueError|"));
    assert!(refusal("{1: (x for x in [])}").starts_with("key 1|generator|"));
    assert!(refusal("[lambda: 1]").starts_with("element 1|function|"));
    assert!(refusal("ImproperList([1], object())").starts_with("tail|object|"));
}
