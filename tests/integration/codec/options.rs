//! What the options change in the codec itself: which keys collide, and the sizes computed in advance.

use bytes::BytesMut;
use portpool::codec::{Binaries, CodecErrorKind, NoneIs, Options, from_pickle, to_pickle};

use super::python::Python;
use super::{LIMIT, list_of};

const BYTES: Options = Options { binaries: Binaries::Bytes, none: NoneIs::Nil };
const UNDEFINED: Options = Options { binaries: Binaries::Str, none: NoneIs::Undefined };

/// A map of two keys, each with the value 1.
fn two(one: &[u8], other: &[u8]) -> Vec<u8> {
    list_of(&[&[116, 0, 0, 0, 2], one, &[97, 1], other, &[97, 1]].concat())
}

fn verdict(term: &[u8], options: Options) -> Option<String> {
    to_pickle::call("m", "f", term, None, options).err().map(|refusal| {
        assert_eq!(refusal.kind, CodecErrorKind::Unencodable, "{refusal}");
        refusal.message
    })
}

/// `%Portpool.Bytes{binary: "a"}`, its keys in either order.
fn wrapped() -> [Vec<u8>; 2] {
    let (name, binary) =
        (&b"\x77\x0a__struct__\x77\x15Elixir.Portpool.Bytes"[..], &b"\x77\x06binary\x6d\0\0\0\x01a"[..]);
    [[&[116, 0, 0, 0, 2], name, binary].concat(), [&[116, 0, 0, 0, 2], binary, name].concat()]
}

#[test]
fn keys_meet_in_python_as_the_options_have_it() {
    let (atom, binary) = (&b"\x77\x01a"[..], &b"\x6d\0\0\0\x01a"[..]);
    let (nil, undefined) = (&b"\x77\x03nil"[..], &b"\x77\x09undefined"[..]);
    let str_undefined = b"\x6d\0\0\0\x09undefined";
    assert!(verdict(&two(atom, binary), Options::default()).is_some());
    assert_eq!(verdict(&two(atom, binary), BYTES), None, "b'a' is not 'a'");
    assert_eq!(verdict(&two(nil, undefined), UNDEFINED), None);
    assert!(verdict(&two(undefined, str_undefined), Options::default()).is_some());
    assert_eq!(verdict(&two(undefined, str_undefined), UNDEFINED), None, "None is not 'undefined'");
    for wrapped in wrapped() {
        assert_eq!(verdict(&two(&wrapped, binary), Options::default()), None, "b'a' is not 'a'");
        assert!(verdict(&two(&wrapped, binary), BYTES).is_some_and(|message| message.contains("key collision")));
        assert_eq!(verdict(&two(&wrapped, atom), BYTES), None);
        let in_tuples = two(&[b"\x68\x01", &wrapped[..]].concat(), &[b"\x68\x01", binary].concat());
        assert_eq!(verdict(&in_tuples, Options::default()), None);
        assert!(verdict(&in_tuples, BYTES).is_some());
    }
    let [one, other] = wrapped();
    assert!(verdict(&two(&one, &other), Options::default()).is_some());
    let no_struct = b"\x74\0\0\0\x02\x77\x01a\x61\x01\x77\x01b\x61\x01";
    assert!(verdict(&two(no_struct, atom), Options::default()).is_some_and(|message| message.contains("hashed")));
}

#[test]
fn records_whose_keys_are_bytes_share_them_too() {
    let record = b"\x74\0\0\0\x01\x6d\0\0\0\x04name\x6d\0\0\0\x01x";
    let records = list_of(&[&[108, 0, 0, 0, 3], &record.repeat(3)[..], &[106]].concat());
    let call =
        to_pickle::call("m", "[args, len({id(k) for r in args[0] for k in r})]", &records, None, BYTES).unwrap().pickle;
    let mut python = Python::start();
    let expected = python.eval("[([{b'name': b'x'}] * 3,), 1]").unwrap();
    assert_eq!(super::term_of(&python.call(&call).unwrap()).unwrap(), super::term_of(&expected).unwrap());
}

#[test]
fn the_size_is_known_before_whatever_none_is() {
    let mut python = Python::start();
    for expression in ["None", "[None] * 1000", "{None: (None, [None, {1: None}])}", "(x := [None] * 9, [x] * 9)"] {
        let pickle = python.eval(expression).unwrap();
        for options in [Options::default(), UNDEFINED] {
            let document = from_pickle::read_with(&pickle, options).unwrap();
            let size = usize::try_from(document.term_size()).unwrap();
            let mut out = BytesMut::new();
            assert!(document.to_etf(&mut out, size - 1).is_err());
            document.to_etf(&mut out, size).unwrap();
            assert_eq!(out.len(), size, "{expression}");
            // What came back is what goes in again.
            let again = to_pickle::call("m", "args[0]", &list_of(&out), None, options).unwrap().pickle;
            let mut echo = BytesMut::new();
            let answer = python.call(&again).unwrap();
            from_pickle::read_with(&answer, options).unwrap().to_etf(&mut echo, LIMIT).unwrap();
            assert_eq!(echo, out);
        }
    }
    let pickle = python.eval("{None: 1, Atom('undefined'): 2}").unwrap();
    assert!(from_pickle::read_with(&pickle, UNDEFINED).unwrap().to_etf(&mut BytesMut::new(), LIMIT).is_err());
    assert!(from_pickle::read(&pickle).unwrap().to_etf(&mut BytesMut::new(), LIMIT).is_ok());
}

#[test]
fn large_bytes_stay_where_they_are_and_the_pickle_names_their_place() {
    let binary = |size: usize| [&b"\x6d"[..], &(size as u32).to_be_bytes(), &vec![7; size]].concat();
    let term = [&[108, 0, 0, 0, 2][..], &binary(65_536), &binary(65_535), &[106]].concat();
    let encoded = to_pickle::call("m", "f", &term, None, BYTES).unwrap();
    assert_eq!(encoded.buffers.len(), 1);
    assert_eq!(encoded.buffers[0].as_ptr(), term[10..].as_ptr(), "not a copy");
    assert_eq!(encoded.buffers[0].len(), 65_536);
    assert_eq!(encoded.pickle[..13], *b"\x80\x05(\x8c\x01m\x8c\x01f(\x97B\xff");
    let encoded = to_pickle::call("m", "f", &term, None, Options::default()).unwrap();
    assert!(encoded.buffers.is_empty(), "a str is always made");
    assert!(from_pickle::read(b"\x80\x05\x97.").is_err(), "workers send no buffers");
}
