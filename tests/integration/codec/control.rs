//! Control-plane terms: `eetf` as a type, our own bytes.

use bytes::BytesMut;
use eetf::{Atom, BigInteger, Binary, ByteList, FixInteger, Float, ImproperList, List, Map, Term, Tuple};
use portpool::codec::{CodecErrorKind, control};
use serde_json::json;

fn encoded(term: impl Into<Term>) -> Vec<u8> {
    let mut out = BytesMut::new();
    control::encode(&term.into(), &mut out).expect("a term");
    out.to_vec()
}

fn int(value: i32) -> Term {
    FixInteger::from(value).into()
}

#[test]
fn options_are_decoded_with_numbers_text_and_lists_as_one_expects() {
    // #{size => 2, python_path => [<<"a">>, "bc"], timeout => infinity, f => 1.5, big => 2^70}
    let bytes = [
        &b"\x74\0\0\0\x05\x64\0\x04size\x61\x02\x77\x0bpython_path\x6c\0\0\0\x02\x6d\0\0\0\x01a\x6b\0\x02bc\x6a"[..],
        b"\x77\x07timeout\x77\x08infinity\x77\x01f\x46\x3f\xf8\0\0\0\0\0\0\x77\x03big\x6e\x09\0\0\0\0\0\0\0\0\0\x40",
    ]
    .concat();
    let Term::Map(map) = control::decode(&bytes).expect("options") else { panic!("a map") };
    let get = |key: &str| map.map.get(&Term::from(Atom::from(key))).cloned().expect(key);
    assert_eq!(get("size"), int(2));
    assert_eq!(get("timeout"), Atom::from("infinity").into());
    assert_eq!(get("f"), Float { value: 1.5 }.into());
    let charlist = List::from(vec![int(98), int(99)]);
    assert_eq!(get("python_path"), List::from(vec![Binary::from(&b"a"[..]).into(), charlist.into()]).into());
    let Term::BigInteger(big) = get("big") else { panic!("a big integer") };
    assert_eq!(big.value.to_string(), "1180591620717411303424");
}

#[test]
fn forms_that_eetf_reads_wrong_are_read_right() {
    // 'héllo' in Latin-1, 0.1 as text, -5 as a bignum with sign 2, 7 as a bignum, [1] as a list that goes on.
    assert_eq!(control::decode(b"\x64\0\x05h\xe9llo").expect("an atom"), Atom::from("héllo").into());
    let text = [b"\x63" as &[u8], b"1.00000000000000005551e-01", &[0; 5]].concat();
    assert_eq!(control::decode(&text).expect("a float"), Float { value: 0.1 }.into());
    assert_eq!(control::decode(&[110, 1, 2, 5]).expect("a number"), int(-5));
    assert_eq!(control::decode(&[110, 1, 0, 7]).expect("a number"), int(7));
    assert_eq!(control::decode(&[108, 0, 0, 0, 0, 106]).expect("a list"), List::nil().into());
}

#[test]
fn what_eetf_dies_of_never_reaches_it() {
    let deep = |depth: usize| [[104, 1].repeat(depth).as_slice(), &[106]].concat();
    assert!(control::decode(&deep(63)).is_ok());
    let pid = b"\x58\x77\x01a\0\0\0\x01\0\0\0\0\0\0\0\0";
    for bytes in [
        &[108, 255, 255, 255, 255][..],
        &[105, 255, 255, 255, 255],
        &[116, 255, 255, 255, 255],
        &deep(65),
        &deep(1_000_000 / 4),
        &[68, 0],
        &[82, 0],
        &[121, 0],
        &[106, 106],
        &[],
        pid,
        &[77, 0, 0, 0, 1, 3, 128],
        &[108, 0, 0, 0, 1, 97, 1, 97, 2],
        &[70, 127, 240, 0, 0, 0, 0, 0, 0],
    ] {
        assert_eq!(
            control::decode(bytes).expect_err("refused").kind,
            CodecErrorKind::Malformed,
            "{:?}",
            bytes.get(..8)
        );
    }
    let large = [&[109, 0, 16, 0, 0][..], &vec![0; 1 << 20]].concat();
    assert!(matches!(
        control::decode(&large).expect_err("too large").kind,
        CodecErrorKind::TooLarge { limit: 1_048_576, .. }
    ));
}

// docs/protocol.md 11.2
#[test]
fn terms_are_written_in_the_forms_of_the_protocol() {
    assert_eq!(encoded(Atom::from("ok")), b"\x77\x02ok");
    assert_eq!(encoded(Atom::from("é".repeat(255).as_str()))[..3], [118, 1, 254]);
    assert_eq!(encoded(int(0)), [97, 0]);
    assert_eq!(encoded(int(255)), [97, 255]);
    assert_eq!(encoded(int(256)), [98, 0, 0, 1, 0]);
    assert_eq!(encoded(int(-1)), [98, 255, 255, 255, 255]);
    assert_eq!(encoded(BigInteger::from(7)), [97, 7]);
    assert_eq!(encoded(BigInteger::from(1u64 << 40)), [110, 6, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(encoded(BigInteger::from(u64::MAX)), [110, 8, 0, 255, 255, 255, 255, 255, 255, 255, 255]);
    assert_eq!(encoded(Float { value: 1.0 }), [70, 63, 240, 0, 0, 0, 0, 0, 0]);
    assert_eq!(encoded(Binary::from(&b"ab"[..])), b"\x6d\0\0\0\x02ab");
    assert_eq!(encoded(List::nil()), [106]);
    assert_eq!(encoded(List::from(vec![int(-1), int(1)])), [108, 0, 0, 0, 2, 98, 255, 255, 255, 255, 97, 1, 106]);
    assert_eq!(encoded(ByteList::from("a".to_owned())), [108, 0, 0, 0, 1, 97, 97, 106]);
    assert_eq!(encoded(ByteList::from(String::new())), [106]);
    assert_eq!(encoded(ImproperList::from((vec![int(1)], int(2)))), [108, 0, 0, 0, 1, 97, 1, 97, 2]);
    assert_eq!(encoded(Tuple::from(vec![int(1), Tuple::nil().into()])), [104, 2, 97, 1, 104, 0]);
    assert_eq!(encoded(Tuple::from(vec![int(1); 256]))[..5], [105, 0, 0, 1, 0]);
    let map = Map::from([("b", 2), ("a", 1)].map(|(key, value)| (Atom::from(key).into(), int(value))));
    assert_eq!(encoded(map), b"\x74\0\0\0\x02\x77\x01a\x61\x01\x77\x01b\x61\x02");
    let long = Atom::from("a".repeat(256).as_str());
    assert_eq!(
        control::encode(&long.into(), &mut BytesMut::new()).expect_err("too long").kind,
        CodecErrorKind::Unencodable
    );
}

#[test]
fn what_is_encoded_is_decoded_again() {
    let inner = Map::from([(Atom::from("k").into(), List::from(vec![int(-3), Float { value: -0.5 }.into()]).into())]);
    let term: Term =
        Tuple::from(vec![Atom::from("error").into(), inner.into(), BigInteger::from(-1i64 << 40).into()]).into();
    assert_eq!(control::decode(&encoded(term.clone())).expect("a term"), term);
}

#[test]
fn detail_becomes_a_map_with_atoms_for_keys() {
    let detail = json!({"traceback": "text", "line": 7, "ok": null, "f": 1.5, "l": [true, [], {}], "n": {"k": -1}});
    let expected = Map::from([
        (Atom::from("traceback").into(), Binary::from(&b"text"[..]).into()),
        (Atom::from("line").into(), int(7)),
        (Atom::from("ok").into(), Atom::from("nil").into()),
        (Atom::from("f").into(), Float { value: 1.5 }.into()),
        (
            Atom::from("l").into(),
            List::from(vec![Atom::from("true").into(), List::nil().into(), Map::from([]).into()]).into(),
        ),
        (Atom::from("n").into(), Map::from([(Atom::from("k").into(), int(-1))]).into()),
    ]);
    assert_eq!(control::from_json(&detail), expected.into());
    let Term::BigInteger(big) = control::from_json(&json!(i64::MAX)) else { panic!("a big integer") };
    assert_eq!(big.value.to_string(), i64::MAX.to_string());
}
