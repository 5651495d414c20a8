//! Every term in docs/types.md goes through Python and comes back as the same bytes.

use portpool::codec::etf;

use super::dates::moment;
use super::python::Python;
use super::tensors::tensor;
use super::vectors;
use super::{LIMIT, list_of, packet, term_of};
use crate::harness::summary;

fn echo(python: &mut Python, bytes: &[u8]) -> Vec<u8> {
    let term = etf::open(bytes, LIMIT).expect("a packet");
    let call = super::call("args[0]", &list_of(&term), None).expect("a term");
    packet(&term_of(&python.call(&call).expect("a value")).expect("a result"))
}

#[test]
fn each_term_comes_back_from_python_in_the_same_bytes() {
    let mut python = Python::start();
    let vectors = vectors::terms();
    for vector in &vectors {
        assert_eq!(echo(&mut python, &vector.packet), vector.echo, "{}", vector.name);
    }
    assert!(vectors.len() > 300, "{} vectors", vectors.len());
    let number = vectors.len();
    let encodings = "minor_version 0, 1 and 2, deterministic, compressed, old tags";
    summary::add("60-terms", &format!("codec: {number} terms echoed by Python, all the same: {encodings}"));
}

#[test]
fn what_is_written_is_read_again_and_written_in_the_same_bytes() {
    let mut python = Python::start();
    for vector in vectors::terms() {
        assert_eq!(echo(&mut python, &vector.echo), vector.echo, "{}", vector.name);
    }
}

#[test]
fn keywords_arrive_as_str_whether_atoms_or_binaries() {
    // #{a => 1, <<"b">> => nil}
    let kwargs = [&[116, 0, 0, 0, 2, 119, 1, b'a', 97, 1, 109, 0, 0, 0, 1, b'b', 119, 3], &b"nil"[..]].concat();
    let expression = "[kwargs, [type(key) is str for key in kwargs], args]";
    let call = super::call(expression, &[107, 0, 2, 1, 2], Some(&kwargs)).expect("a call");
    let result = term_of(&Python::start().call(&call).expect("a value")).expect("a term");
    let expected = Python::start().eval("[{'a': 1, 'b': None}, [True, True], (1, 2)]").expect("a value");
    assert_eq!(result, term_of(&expected).expect("a term"));
}

#[test]
fn values_arrive_with_the_types_of_the_table() {
    let mut python = Python::start();
    let mut types = |bytes: &[u8]| {
        let call = super::call("type(args[0]).__name__", &list_of(bytes), None).expect("a call");
        let result = term_of(&python.call(&call).expect("a value")).expect("a term");
        String::from_utf8(result[5..].to_vec()).expect("UTF-8")
    };
    assert_eq!(types(&[97, 1]), "int");
    assert_eq!(types(&[70, 63, 240, 0, 0, 0, 0, 0, 0]), "float");
    assert_eq!(types(b"\x77\x04true"), "bool");
    assert_eq!(types(b"\x77\x03nil"), "NoneType");
    assert_eq!(types(b"\x77\x09undefined"), "Atom");
    assert_eq!(types(b"\x6d\0\0\0\x01a"), "str");
    assert_eq!(types(b"\x6b\0\x02ab"), "list");
    assert_eq!(types(b"\x68\0"), "tuple");
    assert_eq!(types(b"\x74\0\0\0\0"), "dict");
    assert_eq!(types(b"\x6c\0\0\0\x01a\x01a\x02"), "ImproperList");
    assert_eq!(types(b"\x4d\0\0\0\x01\x01\x80"), "Opaque");
    let zone = Some(("Etc/UTC", "UTC", 0, 0));
    let (day, clock) = (Some((2024, 2, 29)), Some((1, 2, 3, 4, 6)));
    assert_eq!(types(&moment(day, None, None).canonical()), "Date");
    assert_eq!(types(&moment(None, clock, None).canonical()), "Time");
    assert_eq!(types(&moment(day, clock, None).canonical()), "NaiveDateTime");
    assert_eq!(types(&moment(day, clock, zone).canonical()), "DateTime");
    // Of bfloat16: numpy may be there or not.
    assert_eq!(types(&tensor("bf", 16, &[2], &[1, 2, 3, 4]).canonical()), "Tensor");
    assert_eq!(types(&tensor("bf", 16, &[2], &[1, 2, 3]).canonical()), "dict");
    assert_eq!(types(&moment(Some((2023, 2, 29)), None, None).canonical()), "dict");
}
