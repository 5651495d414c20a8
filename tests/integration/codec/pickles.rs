//! What Python values become as terms, other than those that came from terms (docs/types.md, "From Python only").

use portpool::codec::from_pickle;

use super::python::Python;
use super::term_of;

/// The values of both expressions are the same term.
fn same(python: &mut Python, value: &str, plain: &str) {
    let term = |python: &mut Python, expression: &str| {
        let pickle = python.eval(expression).unwrap_or_else(|refusal| panic!("{expression}: {refusal}"));
        term_of(&pickle).unwrap_or_else(|refusal| panic!("{expression}: {refusal}"))
    };
    assert_eq!(term(python, value), term(python, plain), "{value}");
}

#[test]
fn values_that_only_python_has_become_plain_ones() {
    let mut python = Python::start();
    let import = |module: &str| format!("__import__('{module}')");
    let (collections, uuid, decimal, enum_) =
        (import("collections"), import("uuid"), import("decimal"), import("enum"));
    same(&mut python, "bytearray(b'abc')", "b'abc'");
    same(&mut python, "bytearray(100000)", "bytes(100000)");
    same(&mut python, "memoryview(b'abcdef')[1:3]", "b'bc'");
    same(&mut python, "memoryview(b'abcdef')[::2]", "b'ace'");
    same(&mut python, &format!("{collections}.namedtuple('N', 'a b')(1, [2])"), "(1, [2])");
    same(&mut python, "{7}", "[7]");
    same(&mut python, "frozenset({7})", "[7]");
    same(&mut python, "set()", "[]");
    same(&mut python, "range(3)", "[0, 1, 2]");
    same(&mut python, "range(0)", "[]");
    same(&mut python, &format!("{enum_}.IntEnum('E', 'A B').B"), "2");
    same(&mut python, &format!("{enum_}.Enum('E', {{'A': ('x', 1)}}).A"), "('x', 1)");
    same(&mut python, "__import__('dataclasses').make_dataclass('D', ['a', 'b'])(1, {2})", "{'a': 1, 'b': [2]}");
    same(&mut python, &format!("{uuid}.UUID(int=1)"), "'00000000-0000-0000-0000-000000000001'");
    same(&mut python, &format!("{decimal}.Decimal('1.50')"), "'1.50'");
    same(&mut python, &format!("{collections}.OrderedDict([('b', 1), ('a', 2)])"), "{'b': 1, 'a': 2}");
    same(&mut python, &format!("{collections}.defaultdict(list, x=1)"), "{'x': 1}");
    same(&mut python, &format!("{collections}.Counter('aab')"), "{'a': 2, 'b': 1}");
    for (base, value) in [
        ("str", "'x'"),
        ("int", "2 ** 70"),
        ("float", "1.5"),
        ("bytes", "b'x'"),
        ("list", "[1]"),
        ("dict", "{1: 2}"),
        ("tuple", "(1,)"),
        ("set", "{1}"),
        ("bytearray", "bytearray(b'x')"),
    ] {
        same(&mut python, &format!("type('Sub', ({base},), {{}})({value})"), value);
    }
}

#[test]
fn order_of_an_ordered_dict_is_its_own() {
    let mut python = Python::start();
    same(
        &mut python,
        "(d := __import__('collections').OrderedDict(a=1, b=2), d.move_to_end('a'), d)[2]",
        "{'b': 2, 'a': 1}",
    );
}

#[test]
fn lists_of_bools_stay_lists_of_bools() {
    let pickle = Python::start().eval("[True, False]").expect("a value");
    assert_eq!(term_of(&pickle).expect("a term"), b"\x6c\0\0\0\x02\x77\x04true\x77\x05false\x6a");
}

#[test]
fn one_object_in_many_places_is_written_in_each() {
    let mut python = Python::start();
    same(
        &mut python,
        "(x := [1, {'a': 2}], [x, x, (x, x)])[1]",
        "[[1, {'a': 2}], [1, {'a': 2}], ([1, {'a': 2}], [1, {'a': 2}])]",
    );
    same(&mut python, "(x := Atom('a'), [x, x, {x: x}])[1]", "[Atom('a'), Atom('a'), {Atom('a'): Atom('a')}]");
    same(&mut python, "[()] * 3 + [(1, 2)] * 2", "[(), (), (), (1, 2), (1, 2)]");
}

#[test]
fn containers_of_many_batches_come_out_whole() {
    let mut python = Python::start();
    // The pickler writes a thousand at a time; what is between keeps the batches apart.
    same(&mut python, "[[i] for i in range(3500)]", "[*([i] for i in range(3500))]");
    let pickle = python
        .eval("[[[i] for i in range(3500)], {i: [i] for i in range(2500)}, {str(i) for i in range(1500)}]")
        .expect("a value");
    let size = from_pickle::read(&pickle).expect("a pickle").term_size();
    assert_eq!(term_of(&pickle).expect("a term").len() as u64, size);
}

#[test]
fn large_bytes_are_a_chunk_of_their_own() {
    let mut python = Python::start();
    let test = "(lambda b: any(chunk is b for chunk in _codec.dumps([1, b, 2])))(bytes(1 << 20))";
    assert_eq!(term_of(&python.eval(test).expect("a value")).expect("a term"), b"\x77\x04true");
}

#[test]
fn a_refused_value_leaves_nothing_for_the_next() {
    let mut python = Python::start();
    assert!(python.eval("['x' * 100000, object()]").is_err());
    same(&mut python, "[1]", "[1]");
    assert!(
        python.eval("(x := [], [x := [x] for _ in range(5000)], x)[2]").expect_err("too deep").contains("400 levels")
    );
    same(&mut python, "Atom('a')", "Atom('a')");
}

#[test]
fn what_plain_pickle_writes_is_read_as_well() {
    let mut python = Python::start();
    let dumped = "__import__('pickle').dumps({'a': [1, 2.5, None, True, 'b', b'c', (), (1, 2, 3, 4), {5}, 2 ** 100, -2 ** 64]}, 5)";
    let bytes = term_of(&python.eval(dumped).expect("bytes")).expect("a binary");
    let direct = python.eval(&format!("__import__('pickle').loads({dumped})")).expect("a value");
    assert_eq!(term_of(&bytes[5..]).expect("a term"), term_of(&direct).expect("a term"));
}
