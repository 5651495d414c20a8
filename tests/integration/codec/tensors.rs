//! `%Portpool.Tensor{}`: as an array where Python has numpy, and pickles that only a broken worker writes.
//! docs/types.md 1.8.

use std::time::{Duration, Instant};

use portpool::codec::{CodecErrorKind, Options, from_pickle, to_pickle};

use super::generate::Term;
use super::python::Python;
use super::{list_of, term_of};

/// A tensor as a BEAM writes it, whether its parts fit each other or not. The data are text: terms of tests have no other binaries.
pub fn tensor(kind: &str, bits: i64, shape: &[i64], data: &[u8]) -> Term {
    let atom = |name: &str| Term::Atom(name.into());
    let int = |number: i64| Term::Int(number.into());
    Term::Map(vec![
        (atom("__struct__"), atom("Elixir.Portpool.Tensor")),
        (atom("data"), Term::Text(String::from_utf8(data.to_vec()).expect("text"))),
        (atom("shape"), Term::Tuple(shape.iter().copied().map(int).collect())),
        (atom("type"), Term::Tuple(vec![atom(kind), int(bits)])),
    ])
}

/// A Python that has numpy; says so loudly where the tests have none.
fn with_numpy() -> Option<Python> {
    let mut python = Python::start();
    let has_numpy = python.eval("__import__('numpy') and None").is_ok();
    if !has_numpy {
        println!("SKIPPED: this Python has no numpy; `make test-venv` makes one that has");
    }
    has_numpy.then_some(python)
}

/// The value of an expression over one argument, in Python and back.
fn call(python: &mut Python, expression: &str, argument: &Term) -> Vec<u8> {
    let pickle = super::call(expression, &list_of(&argument.canonical()), None).expect("a call");
    term_of(&python.call(&pickle).unwrap_or_else(|refusal| panic!("{expression}: {refusal}"))).expect("a result")
}

#[test]
fn a_tensor_is_an_array_over_the_bytes_that_came_and_comes_back() {
    let Some(mut python) = with_numpy() else { return };
    let test = "[type(args[0]).__name__, str(args[0].dtype), args[0].shape, args[0].flags.writeable, type(args[0].base).__name__]";
    for (kind, bits, dtype) in [
        ("s", 8, "int8"),
        ("s", 64, "int64"),
        ("u", 16, "uint16"),
        ("f", 16, "float16"),
        ("f", 32, "float32"),
        ("f", 64, "float64"),
        ("c", 64, "complex64"),
        ("c", 128, "complex128"),
    ] {
        let shape = [2, 3, 128 / bits];
        let term = tensor(kind, bits, &shape, &[7; 2 * 3 * 16]);
        let told = call(&mut python, test, &term);
        let expected = format!("['ndarray', '{dtype}', {:?}, False, 'bytes']", (shape[0], shape[1], shape[2]));
        assert_eq!(told, term_of(&python.eval(&expected).expect("a list")).expect("a term"), "{kind}{bits}");
        assert_eq!(call(&mut python, "args[0]", &term), term.canonical());
        assert_eq!(call(&mut python, "args[0].copy(order='F')", &term), term.canonical(), "columns first");
        assert_eq!(call(&mut python, "args[0].astype(args[0].dtype.newbyteorder('>'))", &term), term.canonical());
    }
}

#[test]
fn arrays_of_bool_are_of_u8_and_scalars_are_numbers() {
    let Some(mut python) = with_numpy() else { return };
    let expression = "__import__('numpy').array([[True], [False]])";
    let term = term_of(&python.eval(expression).expect("an array")).expect("a tensor");
    assert_eq!(term, tensor("u", 8, &[2, 1], &[1, 0]).canonical());
    let scalars = "(n := __import__('numpy'), [n.float64(1.5), n.int8(-1), n.bool_(True), n.uint64(2 ** 63), n.str_('a'), n.bytes_(b'b')])[1]";
    let term = term_of(&python.eval(scalars).expect("scalars")).expect("a list");
    let plain = python.eval("[1.5, -1, True, 2 ** 63, 'a', b'b']").expect("values");
    assert_eq!(term, term_of(&plain).expect("a list"));
}

#[test]
fn large_data_go_beside_the_pickle() {
    let term = tensor("u", 8, &[100_000], &[b'x'; 100_000]).canonical();
    let args = list_of(&term);
    let encoded = to_pickle::call("m", "f", &args, None, Options::default()).expect("a call");
    assert!(encoded.pickle.len() < 200);
    assert_eq!(encoded.buffers, [[b'x'; 100_000]]);
}

#[test]
fn an_array_has_no_form_in_json() {
    let pickle = Python::start().eval("{'a': Tensor(('bf', 16), (1,), b'ab')}").expect("a tensor");
    let refusal = from_pickle::read(&pickle).expect("a pickle").to_json().unwrap_err();
    assert_eq!(
        (refusal.path.as_str(), refusal.message.as_str()),
        ("key \"a\"", "a tensor cannot be represented in JSON")
    );
}

/// What calling one of ours with these arguments is as a term.
fn called(number: u8, arguments: &[u8]) -> portpool::codec::CodecError {
    let pickle = [b"](\x84", &[number, 0, 0x70, 0x70][..], arguments, b"Re."].concat();
    let document = from_pickle::read(&pickle).expect("a pickle");
    assert!(document.to_json().is_err());
    term_of(&pickle).unwrap_err()
}

#[test]
fn what_is_no_date_and_no_tensor_is_refused_with_its_path() {
    let wrong: [(u8, &str, &[u8]); 25] = [
        (4, "Date", b")"),
        (4, "Date", b"K\x01K\x01\x86"),
        (4, "Date", b"K\x01K\x01K\x20\x87"),
        (4, "Date", b"K\x01K\x01\x88\x87"),
        (4, "Date", b"K\x01K\x01]\x87"),
        (4, "Date", b"(K\x01K\x02K\x03K\x04NK\x00t"),
        (5, "Time", b"(K\x01K\x02K\x03K\x04NK\x07t"),
        (5, "Time", b"(K\x01K\x02K\x03K\x04K\x00K\x00t"),
        (5, "Time", b"(K\x01K\x02K\x03G\0\0\0\0\0\0\0\0NK\x00t"),
        (6, "NaiveDateTime", b"(K\x01K\x01K\x01K\x01K\x02K\x03K\x04(\x8c\x01a\x8c\x01bK\x00K\x00tK\x00t"),
        (7, "DateTime", b"(K\x01K\x01K\x01K\x01K\x02K\x03K\x04NK\x00t"),
        (7, "DateTime", b"(K\x01K\x01K\x01K\x01K\x02K\x03K\x04)K\x00t"),
        (7, "DateTime", b"(K\x01K\x01K\x01K\x01K\x02K\x03K\x04(C\x01aC\x01bK\x00K\x00tK\x00t"),
        (7, "DateTime", b"(K\x01K\x01K\x01K\x01K\x02K\x03K\x04(\x8c\x01\xff\x8c\x01bK\x00K\x00tK\x00t"),
        (
            7,
            "DateTime",
            b"(K\x01K\x01K\x01K\x01K\x02K\x03K\x04(\x8c\x01a\x8c\x01bJ\xff\xff\xff\x7fJ\xff\xff\xff\x7ftK\x00t",
        ),
        (7, "DateTime", b"(K\x01K\x01K\x01K\x01K\x02K\x03K\x04]K\x00t"),
        (8, "Tensor", b")"),
        (8, "Tensor", b"(\x8c\x01uK\x08K\x02C\x02abt"),
        (8, "Tensor", b"(\x8c\x01uK\x08K\x02\x85C\x03abct"),
        (8, "Tensor", b"(\x8c\x01uK\x08K\x02\x85\x8c\x02abt"),
        (8, "Tensor", b"(\x8c\x01uK\x00K\x02\x85C\x02abt"),
        (8, "Tensor", b"(K\x01K\x08K\x02\x85C\x02abt"),
        (8, "Tensor", b"(\x8c\x01uK\x08]K\x02aC\x02abt"),
        (8, "Tensor", b"(\x8c\x01uK\x08J\xfe\xff\xff\xffJ\xff\xff\xff\xff\x86C\x02abt"),
        (8, "Tensor", b"(\x8c\x01uK\x08\x8a\x08\0\0\0\0\0\0\0\x40\x8a\x08\0\0\0\0\0\0\0\x40\x86C\x00t"),
    ];
    for (number, name, arguments) in wrong {
        let refusal = called(number, arguments);
        assert_eq!(refusal.kind, CodecErrorKind::Unencodable, "{number} {arguments:?}");
        let told = (refusal.path.as_str(), refusal.type_name.as_deref());
        assert_eq!(told, ("element 1", Some(format!("portpool.{name}").as_str())), "{refusal}");
    }
}

#[test]
fn arguments_that_are_read_again_and_again_cost_little() {
    // A shape of a million dimensions and a zone of a million characters, each a hundred thousand times.
    let shape = [&b"("[..], &b"K\x01".repeat(1_000_000), b"t\x940"].concat();
    let zone = [&b"X"[..], &1_000_000u32.to_le_bytes(), &b"z".repeat(1_000_000), b"\x940"].concat();
    let tensor: &[u8] = b"\x84\x08\0\x70\x70(\x8c\x01uK\x08h\0C\x01atR";
    let date: &[u8] = b"\x84\x07\0\x70\x70(K\x01K\x01K\x01K\x01K\x02K\x03K\x04(h\x01\x8c\x01bK\x00K\x00tK\x00tR";
    let start = Instant::now();
    for one in [tensor, date] {
        let pickle = [&shape[..], &zone, b"](", &one.repeat(100_000), b"e."].concat();
        assert_eq!(term_of(&pickle).unwrap_err().kind, CodecErrorKind::Unencodable);
    }
    assert!(start.elapsed() < Duration::from_secs(20));
}
