//! A mutation fuzzer that runs with the other tests. `PORTPOOL_FUZZ_SECONDS` makes it run longer, `PORTPOOL_FUZZ_SEED`
//! changes its mutations.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use portpool::codec::{CodecErrorKind, etf, from_pickle};

use super::python::Python;
use super::{list_of, pickle_of, vectors};
use crate::harness::summary;

/// What may come out at most.
const LIMIT: usize = 1 << 20;

/// Bytes that mean something: tags, opcodes, lengths at the edge.
const TELLING: &[u8] =
    b"\x00\x01\x02\x03\x7f\x80\xff\x84\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x90\x91\x93\x94\x95\x96FMPXYZabcdefghijklmnopqrstuvwxyzBCGJKNR().]}01";

/// Numbers that look random and are the same each time (xorshift).
struct Chance(u64);

impl Chance {
    fn seeded() -> Self {
        Self(number("PORTPOOL_FUZZ_SEED", 0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end.max(1)
    }

    fn one_of<'a, T>(&mut self, things: &'a [T]) -> &'a T {
        &things[self.below(things.len())]
    }

    /// Changes a few bytes, or cuts, doubles and joins stretches of them.
    fn mutate(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = self.one_of(corpus).clone();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            let end = at + self.below(bytes.len().min(at + 32) - at + 1);
            match self.below(7) {
                0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                1 if at < bytes.len() => bytes[at] = *self.one_of(TELLING),
                2 => bytes.insert(at, *self.one_of(TELLING)),
                3 => drop(bytes.drain(at..end)),
                4 => bytes.extend_from_within(at..end),
                5 => {
                    let other = self.one_of(corpus).clone();
                    let from = self.below(other.len());
                    bytes.splice(at..end, other[from..other.len().min(from + 64)].iter().copied());
                }
                _ => bytes.iter_mut().skip(at).take(4).for_each(|byte| *byte = 255),
            }
        }
        bytes
    }
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// Runs `try_one` on mutants of the corpus for the time that is given, and tells how many there were.
fn fuzz(what: &str, corpus: &[Vec<u8>], mut try_one: impl FnMut(&[u8]) -> bool) {
    let (start, limit) = (Instant::now(), Duration::from_secs(number("PORTPOOL_FUZZ_SECONDS", 2)));
    let (mut chance, mut tried, mut accepted) = (Chance::seeded(), 0u64, 0u64);
    while start.elapsed() < limit {
        for _ in 0..100 {
            accepted += u64::from(try_one(&chance.mutate(corpus)));
            tried += 1;
        }
    }
    let took = start.elapsed().as_secs_f64();
    let seen = format!("codec: {tried} mutants of {what} in {took:.1} s, {accepted} of them accepted");
    summary::add(&format!("62-mutants-of-{}", what.replace(' ', "-")), &seen);
    assert!(accepted > 0 && accepted < tried);
}

fn small_packets() -> Vec<Vec<u8>> {
    let small = vectors::terms().into_iter().filter(|vector| vector.echo.len() < 600).map(|vector| vector.packet);
    small.chain(tables()).collect()
}

/// Rows with the same keys, of which a row with others differs in a few bytes; and runs of numbers.
fn tables() -> [Vec<u8>; 3] {
    let rows = |row: &[u8]| [&b"\x83\x6c\0\0\0\x14"[..], &row.repeat(20), b"\x6a"].concat();
    let (id, name) = (&b"\x6d\0\0\0\x02id"[..], &b"\x6d\0\0\0\x04name"[..]);
    let of_binaries = [b"\x74\0\0\0\x02", id, b"\x61\x01", name, b"\x77\x02ok"].concat();
    let of_atoms = [b"\x74\0\0\0\x02\x77\x02id\x61\x01\x64\0\x04name", &of_binaries[..]].concat();
    [rows(&of_binaries), rows(&of_atoms), rows(b"\x46\x3f\xf8\0\0\0\0\0\0")]
}

fn to_term(pickle: &[u8]) -> Option<BytesMut> {
    let mut out = BytesMut::new();
    from_pickle::read(pickle).ok()?.to_etf(&mut out, LIMIT).ok()?;
    assert!(out.len() <= LIMIT);
    Some(out)
}

#[test]
fn mutated_terms_are_refused_or_become_a_pickle_of_ours() {
    fuzz("terms", &small_packets(), |mutant| {
        let Ok(pickle) = pickle_of(mutant) else { return false };
        assert!(pickle.len() < 5 * mutant.len() + 1_100 * usize::from(mutant.get(1) == Some(&80)) * mutant.len() + 200);
        // The machine has an allow-list: that it reads every pickle is the proof that nothing else was written.
        let document = from_pickle::read(&pickle).expect("our own pickle");
        let mut out = BytesMut::new();
        match document.to_etf(&mut out, usize::MAX) {
            Ok(()) => {}
            // An atom by another name: Python sees a text, and texts of 256 characters are no atoms.
            Err(refusal) => assert_eq!(refusal.kind, CodecErrorKind::Unencodable, "{refusal}"),
        }
        true
    });
}

#[test]
fn terms_that_are_accepted_come_back_and_are_then_fixed() {
    fuzz("terms there and back", &small_packets(), |mutant| {
        let Some(once) = pickle_of(mutant).ok().and_then(|pickle| to_term(&pickle)) else { return false };
        // What came out is a call again: {<<"m">>, <<"f">>, {Argument}, nil}.
        let mut cursor = etf::Cursor::new(&once);
        assert_eq!(cursor.tuple().expect("a call"), 4);
        let [module, function] = [cursor.text().expect("a module"), cursor.text().expect("a function")];
        assert_eq!([module.as_ref(), function.as_ref()], ["m", "f"]);
        assert_eq!(cursor.tuple().expect("arguments"), 1);
        let argument = cursor.term().expect("an argument");
        let again = super::call("f", &list_of(argument), None).expect("our own term");
        assert_eq!(to_term(&again).expect("our own pickle"), once);
        true
    });
}

#[test]
fn mutated_pickles_are_refused_or_become_a_term_of_ours() {
    let mut python = Python::start();
    let values = [
        "{'a': [1, 2.5, None, True, 'b', b'c', (), (1, 2, 3, 4), {5}, frozenset({6}), Atom('x'), 2 ** 100]}",
        "[ImproperList([1, 2], 3), Opaque(b'M\\0\\0\\0\\1\\3\\340'), (x := [1], x, x), bytearray(b'xyz'), -2 ** 63, 'y' * 300]",
        "(x := [], [x := [x, x] for _ in range(8)], x)[2]",
        "(x := [], x.append((x, {'k': x})), x)[2]",
        "[Date(2024, 2, 29), Time(1, 2, 3, 4), NaiveDateTime(2024, 2, 29), DateTime(2024, 2, 29, 1, tzinfo=Zone('A/B', 'C', 3600, 0))]",
        "{Date(1, 1, 1): Tensor(('f', 32), (2, 1), b'abcdefgh'), Time(1): [Tensor(('bf', 16), (), b'ab')]}",
        "[{'id': i, 'name': 'n', Atom('x'): i * 1.5} for i in range(10)]",
    ];
    let mut corpus: Vec<Vec<u8>> = values.iter().map(|value| python.eval(value).expect(value)).collect();
    corpus.extend(small_packets().iter().filter_map(|packet| pickle_of(packet).ok()));
    fuzz("pickles", &corpus, |mutant| {
        let Ok(document) = from_pickle::read(mutant) else { return false };
        let _ = document.to_json();
        if let Some(term) = to_term(mutant) {
            assert_eq!(term.len() as u64, document.term_size());
            let mut cursor = etf::Cursor::new(&term);
            assert!(cursor.term().is_ok() && cursor.end().is_ok(), "{term:?}");
        }
        true
    });
}
