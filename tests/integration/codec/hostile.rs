//! No input, in either direction, makes the codec panic, abort, hang or use excessive memory.

use std::io::Write;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use portpool::codec::{CodecErrorKind, etf, from_pickle};

use super::python::Python;
use super::vectors;
use super::{LIMIT, packet, pickle_of, term_of};

const DEEP: usize = 1_000_000;

pub fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn compressed(size: u32, stream: &[u8]) -> Vec<u8> {
    [&[131, 80], &size.to_be_bytes()[..], stream].concat()
}

/// Vectors that can be tried byte by byte.
fn small_vectors() -> impl Iterator<Item = vectors::Vector> {
    vectors::terms().into_iter().filter(|vector| vector.echo.len() < 1000)
}

/// What `start` opens a million times and `end` closes.
fn deep(start: &[u8], middle: &[u8], end: &[u8]) -> Vec<u8> {
    packet(&[start.repeat(DEEP).as_slice(), middle, &end.repeat(DEEP)].concat())
}

#[test]
fn terms_cut_off_at_any_byte_are_refused() {
    for vector in small_vectors() {
        for end in 0..vector.packet.len() {
            let refusal = pickle_of(&vector.packet[..end]).expect_err(vector.name);
            assert_eq!(refusal.kind, CodecErrorKind::Malformed, "{} up to {end}", vector.name);
        }
    }
}

#[test]
fn pickles_cut_off_at_any_byte_are_refused() {
    for vector in small_vectors() {
        let pickle = pickle_of(&vector.packet).expect(vector.name);
        for end in 0..pickle.len() {
            let refusal = from_pickle::read(&pickle[..end]).expect_err(vector.name);
            assert_eq!(refusal.kind, CodecErrorKind::Malformed, "{} up to {end}", vector.name);
        }
    }
}

#[test]
fn lengths_of_four_gigabytes_anywhere_take_neither_time_nor_memory() {
    let start = Instant::now();
    for vector in small_vectors() {
        let pickle = pickle_of(&vector.packet).expect(vector.name);
        for at in 1..vector.packet.len() {
            // Whether it is refused depends on what the bytes mean; that it comes back at all is the point.
            let _ = pickle_of(&overwritten(&vector.packet, at));
        }
        for at in 1..pickle.len() {
            let _ = from_pickle::read(&overwritten(&pickle, at)).map(|document| document.term_size());
        }
    }
    assert!(start.elapsed() < Duration::from_secs(60));
}

fn overwritten(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.iter_mut().skip(at).take(4).for_each(|byte| *byte = 0xff);
    bytes
}

#[test]
fn each_length_field_of_four_gigabytes_is_refused() {
    for tag in [77, 80, 105, 108, 109, 111, 116] {
        let refusal = pickle_of(&[131, tag, 255, 255, 255, 255, 0, 0, 0]).expect_err("too long");
        assert!(
            matches!(refusal.kind, CodecErrorKind::Malformed | CodecErrorKind::TooLarge { .. }),
            "{tag}: {refusal}"
        );
    }
    for opcode in [b'X', b'B', 0x8b] {
        assert!(from_pickle::read(&[0x80, 5, opcode, 255, 255, 255, 255, 0, b'.']).is_err(), "{opcode}");
    }
    for opcode in [0x8d, 0x8e, 0x96] {
        assert!(from_pickle::read(&[&[0x80, 5, opcode][..], &[255; 8], b"."].concat()).is_err(), "{opcode}");
    }
}

#[test]
fn terms_a_million_deep_arrive_in_python() {
    let mut python = Python::start();
    let shapes = [
        ("lists", deep(&[108, 0, 0, 0, 1], &[106], &[106])),
        ("tuples", deep(&[104, 1], &[106], &[])),
        ("tails", deep(&[108, 0, 0, 0, 1, 97, 1], &[106], &[])),
        ("empty heads", deep(&[108, 0, 0, 0, 0], &[106], &[])),
        ("improper lists", deep(&[104, 2, 97, 1, 108, 0, 0, 0, 1, 97, 1], &[97, 2], &[])),
        ("map values", deep(&[116, 0, 0, 0, 1, 97, 1], &[106], &[])),
    ];
    for (name, bytes) in shapes {
        let term = etf::open(&bytes, LIMIT).expect(name);
        let pickle = super::call("len(args)", &super::list_of(&term), None).expect(name);
        assert!(pickle.len() < 4 * bytes.len(), "{name}");
        assert_eq!(term_of(&python.call(&pickle).expect(name)).expect(name), [97, 1], "{name}");
    }
}

#[test]
fn keys_a_million_deep_are_refused() {
    let in_tuples = [&[131, 116, 0, 0, 0, 1][..], &[104, 1].repeat(DEEP), &[97, 1, 97, 1]].concat();
    assert_eq!(pickle_of(&in_tuples).unwrap_err().kind, CodecErrorKind::Unencodable);
    let in_maps = [&[131][..], &[116, 0, 0, 0, 1].repeat(DEEP)].concat();
    assert!(pickle_of(&in_maps).is_err());
}

#[test]
fn pickles_a_million_deep_are_refused_with_the_limit() {
    let lists = [&[b']'].repeat(DEEP)[..], &[b'a'].repeat(DEEP - 1), b"."].concat();
    let tuples = [&[b')'][..], &[0x85].repeat(DEEP), b"."].concat();
    let dicts = [&b"}N".repeat(DEEP)[..], b"N", &[b's'].repeat(DEEP), b"."].concat();
    for pickle in [lists, tuples, dicts] {
        let refusal = term_of(&pickle).unwrap_err();
        assert_eq!(refusal.kind, CodecErrorKind::Unencodable);
        assert!(refusal.message.contains("400 levels"), "{refusal}");
        assert!(refusal.path.len() < 2000, "{}", refusal.path.len());
        assert!(from_pickle::read(&pickle).expect("a pickle").to_json().is_err());
    }
}

#[test]
fn memo_bombs_are_refused_before_memory_is_taken() {
    // x = [x, x], sixty times over.
    let lists = doubled(60, |index| [b"](h", &[index][..], b"h", &[index], b"e"].concat());
    let tuples = doubled(60, |index| [b"h", &[index][..], b"h", &[index], b"\x86"].concat());
    let dicts = doubled(60, |index| [b"}(K\x01h", &[index][..], b"K\x02h", &[index], b"u"].concat());
    for pickle in [lists, tuples, dicts] {
        let start = Instant::now();
        let refusal = term_of(&pickle).unwrap_err();
        assert!(matches!(refusal.kind, CodecErrorKind::TooLarge { bytes, .. } if bytes > 1 << 60), "{refusal}");
        assert!(matches!(
            from_pickle::read(&pickle).expect("a pickle").to_json().unwrap_err().kind,
            CodecErrorKind::TooLarge { .. }
        ));
        assert!(start.elapsed() < Duration::from_secs(1));
    }
}

/// A list, and so many times what holds its predecessor twice.
fn doubled(times: u8, step: impl Fn(u8) -> Vec<u8>) -> Vec<u8> {
    let steps: Vec<u8> = (0..times).flat_map(|index| [b"0", step(index).as_slice(), b"\x94"].concat()).collect();
    [b"]\x94", steps.as_slice(), b"."].concat()
}

#[test]
fn doubling_beyond_64_bits_does_not_wrap_around() {
    let refusal = term_of(&doubled(200, |index| [b"h", &[index][..], b"h", &[index], b"\x86"].concat())).unwrap_err();
    assert!(matches!(refusal.kind, CodecErrorKind::TooLarge { bytes: u64::MAX, .. }), "{refusal}");
}

#[test]
fn cycles_are_refused_with_the_address() {
    let mut python = Python::start();
    let cases = [
        ("x := [1], x.append(x)", "element 1"),
        ("x := {}, x.update(k=[x])", "element 1"),
        ("x := [], x.append((1, x))", "element 1"),
        ("x := [], x.extend(range(5000)), x.append(x)", "element 1"),
        ("x := [], x.extend(range(5000)), x.append({'a': (x,)})", "element 1"),
    ];
    for (expression, path) in cases {
        let pickle = python.eval(&format!("({expression})")).expect("the pickler takes cycles");
        let refusal = term_of(&pickle).unwrap_err();
        assert_eq!((refusal.kind, refusal.path.as_str()), (CodecErrorKind::Unencodable, path), "{expression}");
        assert!(refusal.message.contains("contains itself"), "{refusal}");
        assert!(from_pickle::read(&pickle).expect("a pickle").to_json().is_err());
    }
}

#[test]
fn zlib_bombs_are_refused() {
    let bomb = zlib(&vec![0; 50_000_000]);
    let refusal = etf::open(&compressed(50_000_000, &bomb), 1_000_000).unwrap_err();
    assert!(matches!(refusal.kind, CodecErrorKind::TooLarge { bytes: 50_000_000, limit: 1_000_000 }), "{refusal}");
    // One that lies about its size is not inflated further than it said.
    for declared in [1, 1000, 1_000_000] {
        assert_eq!(etf::open(&compressed(declared, &bomb), LIMIT).unwrap_err().kind, CodecErrorKind::Malformed);
    }
    // One that promises more than its bytes can hold gets no memory at all.
    let refusal = etf::open(&compressed(u32::MAX, &zlib(&[106])), usize::MAX).unwrap_err();
    assert_eq!(refusal.kind, CodecErrorKind::Malformed);
    assert!(refusal.message.contains("cannot become"), "{refusal}");
}

#[test]
fn opcodes_that_no_worker_writes_are_refused() {
    let allowed =
        b"\x80\x95.(01\x94hjN\x88\x89JKM\x8a\x8bG\x8cX\x8dCB\x8e\x96]ae)t\x85\x86\x87}su\x8f\x90\x91\x84\x93R";
    for opcode in 0..=255 {
        // Enough on the stack and in the memo for any opcode to work with.
        let pickle = [&b"\x80\x05]\x94]}\x8c\x01a\x8c\x01b"[..], &[opcode], &[0; 16], b"."].concat();
        let message = from_pickle::read(&pickle).map_or_else(|refusal| refusal.message, |_| String::new());
        assert_eq!(
            message.contains(&format!("opcode {opcode:#04x} ")),
            !allowed.contains(&opcode),
            "{opcode:#x}: {message}"
        );
    }
}

#[test]
fn nothing_but_ours_can_be_called() {
    let named = |module: &str, name: &str| {
        let text = |text: &str| [&[0x8c, text.len() as u8], text.as_bytes()].concat();
        [text(module), text(name), vec![0x93]].concat()
    };
    for (module, name) in
        [("os", "system"), ("builtins", "eval"), ("portpool", "evil"), ("portpool._types", "Atom"), ("", "")]
    {
        let pickle = [named(module, name), b"\x8c\x02id\x85R.".to_vec()].concat();
        let refusal = term_of(&pickle).unwrap_err();
        assert_eq!(refusal.kind, CodecErrorKind::Unencodable);
        assert_eq!(refusal.type_name.as_deref(), Some(format!("{module}.{name}").as_str()));
    }
    assert_eq!(
        term_of(&[named("portpool", "Atom"), b"\x8c\x02id\x85R.".to_vec()].concat()).expect("ours"),
        b"\x77\x02id"
    );
    for code in [0, 1, 240, 0x7070_00ff, 0x7071_0000, u32::MAX] {
        let pickle = [&[0x84][..], &code.to_le_bytes(), b"\x8c\x02id\x85R."].concat();
        assert_eq!(from_pickle::read(&pickle).unwrap_err().kind, CodecErrorKind::Malformed, "{code:x}");
    }
}

#[test]
fn ours_take_only_the_arguments_they_are_made_for() {
    let call = |number: u8, arguments: &[u8]| term_of(&[&[0x84, number, 0, 0x70, 0x70], arguments, b"R."].concat());
    let wrong: [(u8, &[u8]); 14] = [
        (0, b")"),
        (0, b"K\x01\x85"),
        (0, b"C\x01a\x85"),
        (0, b"\x8c\x01a\x8c\x01a\x86"),
        (0, b"\x8c\x01a"),
        (0, b"]"),
        (1, b"\x8c\x01a\x85"),
        (1, b")"),
        (2, b"]K\x01\x86"),
        (2, b"K\x01K\x01\x86"),
        (2, b"]K\x01a\x85"),
        (2, b"}K\x01\x86"),
        (3, b")"),
        (3, b"K\x01K\x01\x86"),
    ];
    for (number, arguments) in wrong {
        assert_eq!(call(number, arguments).unwrap_err().kind, CodecErrorKind::Malformed, "{number} {arguments:?}");
    }
    assert_eq!(call(0, b"\x8c\x01a\x85").expect("an atom"), [119, 1, b'a']);
    assert_eq!(call(1, b"C\x06\x4d\0\0\0\x01\x01\x85").unwrap_err().kind, CodecErrorKind::Unencodable);
    assert_eq!(call(1, b"C\x07\x4d\0\0\0\x01\x01\x80\x85").expect("a bitstring"), [77, 0, 0, 0, 1, 1, 128]);
    assert_eq!(call(2, b"]K\x01aK\x02\x86").expect("an improper list"), [108, 0, 0, 0, 1, 97, 1, 97, 2]);
    assert_eq!(call(3, b"K\x07\x85").expect("a number"), [97, 7]);
}

#[test]
fn opaques_carry_exactly_one_opaque_term() {
    let opaque = |bytes: &[u8]| {
        let head = [0x84, 1, 0, 0x70, 0x70, b'C', u8::try_from(bytes.len()).expect("short")];
        term_of(&[&head, bytes, b"\x85R."].concat())
    };
    let pid = b"\x58\x77\x01a\0\0\0\x01\0\0\0\0\0\0\0\0";
    assert_eq!(opaque(pid).expect("a pid"), pid);
    for wrong in [
        &b""[..],
        b"\x6a",
        b"\x61\x01",
        b"\x68\x00",
        b"\x58",
        &[pid.as_slice(), b"\x6a"].concat(),
        &[pid.as_slice(), pid].concat(),
        b"\x83\x6a",
    ] {
        assert_eq!(opaque(wrong).unwrap_err().kind, CodecErrorKind::Unencodable, "{wrong:?}");
    }
}

#[test]
fn instructions_reach_neither_below_a_mark_nor_below_the_stack() {
    let wrong: [&[u8]; 25] = [
        b"NN(\x861.",
        b"N(\x941.",
        b"](N]0a1.",
        b".",
        b"N(.",
        b"NN.",
        b"(.",
        b"0.",
        b"1.",
        b"\x94.",
        b"h\0.",
        b"N\x94h\x01.",
        b"j\0\0\0\0.",
        b"]a.",
        b"](a.",
        b"](Na.",
        b"Na.",
        b"NNa.",
        b"e.",
        b"(e.",
        b"N(e.",
        b"](Nu.",
        b"}(Nu.",
        b"}Ns.",
        b"N(\x86.",
    ];
    for pickle in wrong {
        assert_eq!(
            from_pickle::read(pickle).unwrap_err().kind,
            CodecErrorKind::Malformed,
            "{:?}",
            pickle.escape_ascii().to_string()
        );
    }
    let right: [&[u8]; 8] = [b"N.", b"N(0.", b"N(N1.", b"](Ne.", b"]Na.", b"}NNs.", b"}(u.", b"(t."];
    for pickle in right {
        assert!(from_pickle::read(pickle).is_ok(), "{:?}", pickle.escape_ascii().to_string());
    }
}

#[test]
fn a_refused_result_leaves_the_packet_as_it_was() {
    let mut out = BytesMut::from(&b"head"[..]);
    // [1, nan]
    let pickle = [&b"](K\x01G"[..], &f64::NAN.to_be_bytes(), b"e."].concat();
    assert!(from_pickle::read(&pickle).expect("a pickle").to_etf(&mut out, LIMIT).is_err());
    assert_eq!(out, b"head"[..]);
}

#[test]
fn the_limit_is_the_size_of_the_term_and_not_one_byte_less() {
    for vector in vectors::terms() {
        let pickle = pickle_of(&vector.packet).expect(vector.name);
        let document = from_pickle::read(&pickle).expect(vector.name);
        let size = document.term_size();
        let mut out = BytesMut::new();
        let written = document.to_etf(&mut out, size as usize);
        assert!(written.is_ok() && out.len() as u64 == size, "{}: {size} bytes, {written:?}", vector.name);
        assert!(matches!(
            document.to_etf(&mut out, size as usize - 1).unwrap_err().kind,
            CodecErrorKind::TooLarge { bytes, limit } if bytes == size && limit == size - 1
        ));
    }
}
