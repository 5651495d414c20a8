//! Accepts and refuses exactly what `binary_to_term/1` does (docs/protocol.md 1.2), with the differences of 11.3.

use portpool::codec::{CodecErrorKind, etf};

use super::vectors;
use super::{LIMIT, list_of, packet, pickle_of};

#[test]
fn verdict_on_hand_made_bytes_is_that_of_binary_to_term() {
    let verdicts = vectors::verdicts();
    let wrong: Vec<_> = verdicts
        .iter()
        .filter(|verdict| !verdict.packet.is_empty() || !verdict.ok)
        .filter(|verdict| pickle_of(&verdict.packet).is_ok() != verdict.ok)
        .map(|verdict| (verdict.name, verdict.ok))
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(verdicts.iter().filter(|verdict| verdict.ok).count() > 40);
    assert!(verdicts.iter().filter(|verdict| !verdict.ok).count() > 80);
}

#[test]
fn skipping_a_term_gives_the_verdict_of_converting_it() {
    for verdict in vectors::verdicts() {
        let Ok(term) = etf::open(&verdict.packet, LIMIT) else { continue };
        let mut cursor = etf::Cursor::new(&term);
        let skipped = cursor.term().is_ok() && cursor.end().is_ok();
        let same_key = verdict.name.starts_with("same");
        assert_eq!(skipped, verdict.ok || same_key, "{}", verdict.name);
    }
}

// docs/protocol.md 11.3
#[test]
fn bytes_after_the_term_are_refused() {
    for vector in vectors::terms() {
        if vector.packet[1] != 80 {
            let longer = [vector.packet.as_slice(), &[0]].concat();
            assert_eq!(pickle_of(&longer).unwrap_err().kind, CodecErrorKind::Malformed, "{}", vector.name);
        }
    }
}

#[test]
fn bytes_after_a_compressed_term_are_refused_inside_and_outside() {
    let zip = |size: u32, stream: &[u8]| [&[131, 80], &size.to_be_bytes()[..], stream].concat();
    let stream = super::hostile::zlib(&[97, 1]);
    assert!(pickle_of(&zip(2, &stream)).is_ok());
    assert!(pickle_of(&zip(2, &[stream.as_slice(), &[0]].concat())).is_err());
    assert!(pickle_of(&zip(3, &super::hostile::zlib(&[97, 1, 0]))).is_err());
}

#[test]
fn keys_may_nest_64_tuples_deep_and_no_deeper() {
    let map = |depth: usize| [&[116, 0, 0, 0, 1], [104, 1].repeat(depth).as_slice(), &[97, 1, 97, 2]].concat();
    assert!(pickle_of(&packet(&map(64))).is_ok());
    let refusal = pickle_of(&packet(&map(65))).unwrap_err();
    assert_eq!(refusal.kind, CodecErrorKind::Unencodable);
    assert!(refusal.message.contains("64"), "{refusal}");
}

#[test]
fn keys_that_are_equal_in_python_are_refused_and_others_are_not() {
    let one = &[97, 1][..];
    let float_one = &[70, 63, 240, 0, 0, 0, 0, 0, 0][..];
    let float_two = &[70, 64, 0, 0, 0, 0, 0, 0, 0][..];
    let (yes, no, nil, a) = (&b"\x77\x04true"[..], &b"\x77\x05false"[..], &b"\x77\x03nil"[..], &b"\x77\x01a"[..]);
    let (text_a, text_nil, text_true) =
        (&b"\x6d\0\0\0\x01a"[..], &b"\x6d\0\0\0\x03nil"[..], &b"\x6d\0\0\0\x04true"[..]);
    let (zero, float_zero) = (&[97, 0][..], &[70, 0, 0, 0, 0, 0, 0, 0, 0][..]);
    let minus_zero = &[70, 128, 0, 0, 0, 0, 0, 0, 0][..];
    let power = [&[110, 8, 0, 0, 0, 0, 0, 0, 0, 0, 128][..], &[70, 67, 224, 0, 0, 0, 0, 0, 0][..]];
    let large = [&[110, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1][..], &[70, 67, 240, 0, 0, 0, 0, 0, 0][..]];
    let near = [&[110, 8, 0, 1, 0, 0, 0, 0, 0, 0, 128][..], &[70, 67, 224, 0, 0, 0, 0, 0, 0][..]];
    let collide = [
        [a, text_a],
        [one, float_one],
        [one, yes],
        [float_one, yes],
        [zero, no],
        [zero, minus_zero],
        [float_zero, minus_zero],
        power,
        large,
    ];
    let differ = [[nil, text_nil], [yes, text_true], [nil, zero], [one, float_two], [yes, no], near];
    for (pairs, expected) in [(&collide[..], false), (&differ[..], true)] {
        for [left, right] in pairs {
            for wrap in [0, 1, 3] {
                let key = |term: &[u8]| [[104, 2, 97, 7].repeat(wrap).as_slice(), term].concat();
                let map = [&[116, 0, 0, 0, 2], key(left).as_slice(), one, &key(right), one].concat();
                let verdict = pickle_of(&packet(&map));
                assert_eq!(verdict.is_ok(), expected, "{left:?} and {right:?}, {wrap} tuples deep");
                if let Err(refusal) = verdict {
                    assert!(refusal.message.contains("key collision"), "{refusal}");
                    assert_eq!(refusal.kind, CodecErrorKind::Unencodable);
                }
            }
        }
    }
}

#[test]
fn keys_that_python_cannot_hash_are_refused() {
    for key in [
        &[106][..],
        &[107, 0, 1, 1],
        &[108, 0, 0, 0, 1, 97, 1, 106],
        &[116, 0, 0, 0, 0],
        &[108, 0, 0, 0, 1, 97, 1, 97, 2],
    ] {
        for wrapped in [key.to_vec(), [&[104, 1], key].concat()] {
            let map = [&[116, 0, 0, 0, 1], wrapped.as_slice(), &[97, 1]].concat();
            assert_eq!(pickle_of(&packet(&map)).unwrap_err().kind, CodecErrorKind::Unencodable, "{key:?}");
        }
    }
}

#[test]
fn arguments_are_a_proper_list_and_keywords_a_map_of_names() {
    let call = |args: &[u8], kwargs: &[u8]| super::call("f", args, Some(kwargs));
    let empty = &[116, 0, 0, 0, 0][..];
    assert!(call(&[106], empty).is_ok());
    assert!(call(&[107, 0, 1, 7], empty).is_ok());
    assert!(call(&list_of(&[97, 1]), empty).is_ok());
    for args in [&[97, 1][..], &[104, 0], &[116, 0, 0, 0, 0], &[108, 0, 0, 0, 1, 97, 1, 97, 2], &[106, 106], &[]] {
        assert_eq!(call(args, empty).unwrap_err().kind, CodecErrorKind::Malformed, "{args:?}");
    }
    for kwargs in
        [&[106][..], &[116, 0, 0, 0, 1, 97, 1, 97, 2], &[116, 0, 0, 0, 1, 107, 0, 1, 97, 97, 2], &[116, 0, 0, 0, 0, 0]]
    {
        assert_eq!(call(&[106], kwargs).unwrap_err().kind, CodecErrorKind::Malformed, "{kwargs:?}");
    }
    // #{a => 1, <<"a">> => 2}
    let twice = [116, 0, 0, 0, 2, 119, 1, b'a', 97, 1, 109, 0, 0, 0, 1, b'a', 97, 2];
    assert_eq!(call(&[106], &twice).unwrap_err().kind, CodecErrorKind::Malformed);
}
