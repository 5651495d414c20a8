//! `portpool term`: shows what a BEAM has written in a syntax that the BEAM reads back, or the offset of an invalid
//! byte.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use assert_cmd::Command;
use portpool::codec::etf::show::{Style, Syntax, show};

use crate::harness::{program, unique};

#[path = "codec/vectors.rs"]
#[allow(clippy::duplicate_mod, reason = "it is private to the tests of the codec")]
#[allow(dead_code, reason = "what comes back from Python is no matter here")]
mod vectors;

/// Far above anything the tests make.
const LIMIT: usize = 1 << 30;
const SHORT: Style = Style { syntax: Syntax::Erlang, full: false };

fn portpool(args: &[&str], stdin: &[u8]) -> (i32, String, String) {
    let mut command = Command::new(program());
    let output = command.arg("term").args(args).write_stdin(stdin).timeout(Duration::from_secs(60)).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn erlang(term: &[u8]) -> String {
    show(&[&[131], term].concat(), SHORT, LIMIT).unwrap()
}

fn elixir(term: &[u8]) -> String {
    show(&[&[131], term].concat(), Style { syntax: Syntax::Elixir, full: false }, LIMIT).unwrap()
}

fn as_packets<'a>(packets: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    packets.flat_map(|packet| [&(packet.len() as u32).to_be_bytes(), packet].concat()).collect()
}

/// The text of each packet by its number, from 1.
fn by_number(stdout: &str, comment: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    for line in stdout.lines() {
        match (line.strip_prefix(&format!("{comment} packet ")), found.last_mut()) {
            (Some(head), _) => found.push((head.split(' ').next().unwrap().parse().unwrap(), String::new())),
            (None, Some((_, text))) => text.extend([line, "\n"]),
            (None, None) => panic!("{line}"),
        }
    }
    found
}

/// What no literal stands for.
fn has_no_literal(text: &str, name: &str, comment: &str) -> bool {
    // Elixir 1.14 counts the bytes of an atom, not its characters.
    let wide = comment == "#" && (name.starts_with("Latin-1 atom of 255") || name.starts_with("Unicode atom of 255"));
    wide || ["#Pid<", "#PID<", "#Port<", "#Ref", "#Fun"].iter().any(|sign| text.contains(sign))
}

/// Shows all vectors, and asks a BEAM whether each text is the term: it prints the names of those that are not.
fn read_back(args: &[&str], comment: &str, ask: impl Fn(&str) -> Command) {
    let vectors = vectors::terms();
    let stream = as_packets(vectors.iter().map(|vector| vector.packet.as_slice()));
    let (status, stdout, stderr) = portpool(&[args, &["--full", "--packets", "-"]].concat(), &stream);
    assert_eq!((status, stderr.as_str()), (0, ""));
    let shown = by_number(&stdout, comment);
    assert_eq!(shown.len(), vectors.len());
    let literal: Vec<_> =
        shown.iter().zip(&vectors).filter(|((_, text), vector)| !has_no_literal(text, vector.name, comment)).collect();
    assert!(literal.len() > 300, "{}", literal.len());
    let scratch = Scratch::new();
    let lines = literal.iter().map(|((_, text), vector)| {
        format!("{}\t{}\t{}\n", hex(vector.name.as_bytes()), hex(&vector.packet), hex(text.as_bytes()))
    });
    fs::write(&scratch.0, lines.collect::<String>()).unwrap();
    let output =
        ask(scratch.0.to_str().unwrap()).timeout(Duration::from_secs(120)).output().expect("`make tools` installs it");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.trim(), format!("{} read, all equal", literal.len()));
    println!("{} of {} vectors have a literal, all read back equal", literal.len(), vectors.len());
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut encoder, bytes).unwrap();
    encoder.finish().unwrap()
}

/// A file that is gone at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("portpool-term-{}-{}", std::process::id(), unique())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

const ERLANG: &str = r#"
    [File] = init:get_plain_arguments(),
    {ok, Bytes} = file:read_file(File),
    Columns = fun(Line) -> [binary:decode_hex(Column) || Column <- binary:split(Line, <<"\t">>, [global])] end,
    Lines = [Columns(Line) || Line <- binary:split(Bytes, <<"\n">>, [global, trim])],
    Read = fun(Text) ->
        {ok, Tokens, _} = erl_scan:string(unicode:characters_to_list(Text) ++ "."),
        {ok, Term} = erl_parse:parse_term(Tokens),
        Term
    end,
    Equal = fun(Packet, Text) ->
        try term_to_binary(Read(Text)) =:= term_to_binary(binary_to_term(Packet)) catch _:Why -> {Why} end
    end,
    Wrong = [{Name, Result} || [Name, Packet, Text] <- Lines, (Result = Equal(Packet, Text)) =/= true],
    case Wrong of
        [] -> io:format("~b read, all equal~n", [length(Lines)]);
        _ -> io:format("~P~n", [Wrong, 60])
    end,
    halt(0).
"#;

#[test]
fn erlang_reads_back_each_vector_that_has_a_literal() {
    read_back(&[], "%%", |file| {
        let mut erl = Command::new("erl");
        erl.args(["-noshell", "-eval", ERLANG, "-extra", file]);
        erl
    });
}

const ELIXIR: &str = r##"
    [file] = System.argv()
    lines = for line <- String.split(File.read!(file), "\n", trim: true), do: Enum.map(String.split(line, "\t"), &Base.decode16!/1)
    equal = fn packet, text ->
      try do
        {term, _} = Code.eval_string(text)
        :erlang.term_to_binary(term) == :erlang.term_to_binary(:erlang.binary_to_term(packet))
      rescue
        error -> error
      end
    end
    wrong = for [name, packet, text] <- lines, (result = equal.(packet, text)) != true, do: {name, result}
    if wrong == [], do: IO.puts("#{length(lines)} read, all equal"), else: IO.inspect(wrong, limit: 60)
"##;

#[test]
fn elixir_reads_back_each_vector_that_has_a_literal() {
    read_back(&["--elixir"], "#", |file| {
        let mut elixir = Command::new("elixir");
        elixir.args(["-e", ELIXIR, file]);
        elixir
    });
}

// docs/protocol.md 11.3: but for bytes after the term
#[test]
fn verdict_is_that_of_binary_to_term() {
    let verdicts = vectors::verdicts();
    let stream = as_packets(verdicts.iter().map(|verdict| verdict.packet.as_slice()));
    let (status, stdout, stderr) = portpool(&["--packets", "-"], &stream);
    assert_eq!(status, 1);
    let shown: HashSet<usize> = by_number(&stdout, "%%").into_iter().map(|(number, _)| number).collect();
    for (number, verdict) in (1..).zip(&verdicts) {
        assert_eq!(shown.contains(&number), verdict.ok, "{}", verdict.name);
    }
    let refused = stderr.lines().filter(|line| line.contains(" bytes, not a term at byte ")).count();
    assert_eq!((shown.len() + refused, stderr.lines().count()), (verdicts.len(), refused));
}

#[test]
fn everyday_terms_look_as_people_write_them() {
    // {call, 7, 'os.path', join, [<<"a">>, <<"ü">>, "hi", [200]], #{timeout => 1.5, 'Key' => nil, "x" => -3}}
    let call =
        b"\x68\x06\x77\x04call\x61\x07\x77\x07os.path\x77\x04join\x6c\0\0\0\x04\x6d\0\0\0\x01a\x6d\0\0\0\x02\xc3\xbc\
        \x6b\0\x02hi\x6b\0\x01\xc8\x6a\x74\0\0\0\x02\x77\x07timeout\x46\x3f\xf8\0\0\0\0\0\0\x77\x03Key\x77\x03nil";
    assert_eq!(
        erlang(call),
        "{call, 7, 'os.path', join, [<<\"a\">>, <<\"ü\"/utf8>>, \"hi\", [200]], #{timeout => 1.5, 'Key' => nil}}"
    );
    assert_eq!(
        elixir(call),
        "{:call, 7, :\"os.path\", :join, [\"a\", \"ü\", [104, 105], [200]], %{timeout: 1.5, Key: nil}}"
    );
    // #{'Elixir.URI' => #{}, a => [1 | b]}
    let mixed = b"\x74\0\0\0\x02\x77\x0aElixir.URI\x74\0\0\0\0\x77\x01a\x6c\0\0\0\x01\x61\x01\x77\x01b";
    assert_eq!(erlang(mixed), "#{'Elixir.URI' => #{}, a => [1 | b]}");
    assert_eq!(elixir(mixed), "%{URI => %{}, :a => [1 | :b]}");
    assert_eq!(erlang(b"\x58\x77\x04a@bc\0\0\0\x01\0\0\0\x02\0\0\0\x05"), "#Pid<a@bc.1.2>");
    assert_eq!(elixir(b"\x5a\0\x02\x77\x04a@bc\0\0\0\x01\0\0\0\x02\0\0\0\x05"), "#Reference<a@bc.5.2>");
    assert_eq!(erlang(b"\x71\x77\x05lists\x77\x03map\x61\x02"), "fun lists:map/2");
    assert_eq!(elixir(b"\x71\x77\x05lists\x77\x03map\x61\x02"), "&:lists.map/2");
    assert_eq!(erlang(b"\x4d\0\0\0\x02\x03\x01\xa0"), "<<1,5:3>>");
    assert_eq!(erlang(b"\x6d\0\0\0\x03\0\x01\xff"), "<<0,1,255>>");
}

#[test]
fn what_does_not_fit_is_broken_and_numbers_share_lines() {
    let text = |size: u32| [&[109], &size.to_be_bytes()[..], &vec![b'a'; size as usize]].concat();
    let number = |value: i32| [&[98], &value.to_be_bytes()[..]].concat();
    let numbers = [&[108, 0, 0, 0, 40][..], &(1000..1040).flat_map(number).collect::<Vec<_>>(), &[106]].concat();
    let map = [&[116, 0, 0, 0, 2, 119, 1, b'a'][..], &text(60), &[119, 1, b'b'], &numbers].concat();
    let first: Vec<String> = (1000..1016).map(|number| number.to_string()).collect();
    let shown = erlang(&map);
    assert!(
        shown.starts_with(&format!("#{{\n  a => <<\"{}\">>,\n  b => [\n    {},\n", "a".repeat(60), first.join(", "))),
        "{shown}"
    );
    assert!(shown.ends_with(", 1039\n  ]\n}"), "{shown}");
    assert!(shown.lines().all(|line| line.chars().count() <= 100), "{shown}");
}

#[test]
fn large_binaries_are_shown_by_their_beginning_unless_all_is_asked_for() {
    let packet = [&[131, 109, 0, 0, 0x27, 0x10][..], &"ü".repeat(5000).into_bytes()].concat();
    let (status, stdout, _) = portpool(&["-"], &packet);
    assert_eq!((status, stdout), (0, format!("<<\"{}\"/utf8, ... 10000 bytes>>\n", "ü".repeat(32))));
    let (status, stdout, _) = portpool(&["--full", "-"], &packet);
    assert_eq!((status, stdout), (0, format!("<<\"{}\"/utf8>>\n", "ü".repeat(5000))));
    let string = [&[131, 107, 0x03, 0xe8][..], &[b'x'; 1000]].concat();
    assert_eq!(portpool(&["-"], &string).1, format!("\"{}\" ... 1000 characters\n", "x".repeat(64)));
    let big = [&[131, 111, 0, 0, 0x10, 0, 0][..], &[7; 4096]].concat();
    assert_eq!(portpool(&["-"], &big).1, format!("16#{}... 4096 bytes\n", "07".repeat(32)));
    assert_eq!(portpool(&["--full", "-"], &big).1, format!("16#{}\n", "07".repeat(4096)));
}

#[test]
fn text_that_could_deceive_the_eye_is_escaped() {
    let hidden = "a\u{202e}b\u{1b}[31m#{x}\"";
    let as_binary = |text: &str| [&[109, 0, 0, 0, text.len() as u8], text.as_bytes()].concat();
    assert!(erlang(&as_binary(hidden)).starts_with("<<97,226,128,174,98,27,"), "control characters are no text");
    assert_eq!(erlang(&as_binary("a\u{202e}\"")), "<<\"a\\x{202E}\\\"\"/utf8>>");
    assert_eq!(elixir(&as_binary("a\u{202e}#{x}")), "\"a\\u{202E}\\#{x}\"");
    assert_eq!(erlang(&[119, 3, b'a', 27, b'\'']), "'a\\x{1B}\\''");
}

#[test]
fn what_is_no_term_is_told_by_its_byte_and_nothing_of_it_is_shown() {
    for (bytes, says) in [
        (&b""[..], "at byte 0: the packet is empty"),
        (b"\x61\x01", "at byte 0: the packet begins with 97, not with 131"),
        (b"\x83", "at byte 1: the bytes end in the middle of a value"),
        (b"\x83\x68\x02\x61\x01\xff", "at byte 5: no term has the tag 255"),
        (b"\x83\x61\x01\x00", "at byte 3: bytes follow the term"),
        (b"\x83\x6d\xff\xff\xff\xff\x01", "at byte 6: a length or count exceeds the bytes that are left"),
        (b"\x83\x74\0\0\0\x02\x61\x01\x61\x01\x61\x01\x61\x02", "at byte 10: a map has a duplicate key"),
        (b"\x83\x46\x7f\xf8\0\0\0\0\0\0", "at byte 1: a float is not a finite number"),
        (b"\x83\x50\0\0\0\x02nozlib", "at byte 1: the compressed term is not zlib"),
    ] {
        let (status, stdout, stderr) = portpool(&["-"], bytes);
        assert_eq!((status, stdout.as_str()), (1, ""), "{bytes:?}");
        assert!(stderr.starts_with(&format!("portpool: not a term {says}")), "{bytes:?}: {stderr}");
    }
    let inflated = [&[131, 80, 0, 0, 0, 3][..], &zlib(&[104, 1, 255])].concat();
    let (status, stdout, stderr) = portpool(&["-"], &inflated);
    assert_eq!((status, stdout.as_str()), (1, ""));
    assert_eq!(stderr, "portpool: not a term at byte 2 of the inflated term: no term has the tag 255\n");
}

#[test]
fn keys_of_any_kind_are_told_apart_and_the_same_key_is_found_in_any_form() {
    let map = |pairs: &[&[u8]]| {
        let parts: Vec<u8> = pairs.iter().flat_map(|key| [key, &[97, 0][..]].concat()).collect();
        [&[131, 116, 0, 0, 0, pairs.len() as u8][..], &parts].concat()
    };
    let string = &[107, 0, 2, 1, 2][..];
    let list = &[108, 0, 0, 0, 2, 97, 1, 98, 0, 0, 0, 2, 106][..];
    let goes_on = &[108, 0, 0, 0, 1, 97, 1, 107, 0, 1, 2][..];
    let improper = &[108, 0, 0, 0, 1, 97, 1, 97, 2][..];
    let nested = &[116, 0, 0, 0, 2, 97, 1, 97, 2, 97, 3, 97, 4][..];
    let turned = &[116, 0, 0, 0, 2, 97, 3, 97, 4, 97, 1, 97, 2][..];
    let other = &[116, 0, 0, 0, 2, 97, 3, 97, 2, 97, 1, 97, 4][..];
    for (pairs, same) in [
        (&[string, list][..], true),
        (&[list, goes_on], true),
        (&[nested, turned], true),
        (&[string, improper, nested, other, &[106], &[104, 0], &[97, 1], &[70, 63, 240, 0, 0, 0, 0, 0, 0]], false),
    ] {
        let verdict = show(&map(pairs), SHORT, LIMIT);
        assert_eq!(verdict.is_err(), same, "{pairs:?}: {verdict:?}");
    }
}

#[test]
fn packets_are_shown_one_after_the_other_and_a_bad_one_does_not_hide_the_rest() {
    let stream = as_packets([&b"\x83\x61\x01"[..], b"\x83\xff", b"\x83\x6a"].into_iter());
    let (status, stdout, stderr) = portpool(&["--packets", "-"], &stream);
    assert_eq!(status, 1);
    assert_eq!(stdout, "%% packet 1 at byte 0: 3 bytes\n1\n%% packet 3 at byte 13: 2 bytes\n[]\n");
    assert_eq!(stderr, "portpool: packet 2 at byte 7: 2 bytes, not a term at byte 1: no term has the tag 255\n");
    let (status, stdout, _) = portpool(&["--packets", "--elixir", "-"], &stream[..7]);
    assert_eq!((status, stdout.as_str()), (0, "# packet 1 at byte 0: 3 bytes\n1\n"));
    let (status, _, stderr) = portpool(&["--packets", "-"], &stream[..9]);
    assert_eq!((status, stderr.as_str()), (1, "portpool: packet 2 at byte 7: the input ends after 2 of 4 bytes\n"));
    let (status, _, stderr) = portpool(&["--packets", "-"], &stream[..12]);
    assert_eq!((status, stderr.as_str()), (1, "portpool: packet 2 at byte 7: the input ends after 1 of 2 bytes\n"));
    assert_eq!(portpool(&["--packets", "-"], b""), (0, String::new(), String::new()));
}

#[test]
fn wrong_usage_and_files_that_cannot_be_read_end_with_2() {
    for args in [&[][..], &["--erlang", "-"], &["/nowhere/at/all"], &["/"], &["-", "-"]] {
        let (status, stdout, stderr) = portpool(args, b"");
        assert_eq!((status, stdout.as_str()), (2, ""), "{args:?}");
        assert!(!stderr.is_empty());
    }
}

#[test]
fn terms_of_any_depth_are_shown() {
    for (head, end) in [(&[104, 1][..], &[106][..]), (&[108, 0, 0, 0, 1], &[106]), (&[116, 0, 0, 0, 1], &[106])] {
        let deep = 100_000;
        let tails = if head[0] == 108 { vec![106; deep] } else { Vec::new() };
        let values = if head[0] == 116 { vec![106; deep] } else { Vec::new() };
        let term = [head.repeat(deep).as_slice(), end, &tails, &values].concat();
        let shown = erlang(&term);
        assert!(shown.len() < 120 * deep, "{}", shown.len());
    }
    let tails = [&[108, 0, 0, 0, 1, 97, 7][..]].concat().repeat(100_000);
    assert!(erlang(&[tails.as_slice(), &[106]].concat()).starts_with("[\n  7, 7,"));
}

#[test]
fn every_cut_and_every_changed_byte_gives_a_text_or_a_byte_in_range() {
    let mut refused = 0;
    for vector in vectors::terms().iter().filter(|vector| vector.packet.len() < 300) {
        for at in 0..vector.packet.len() {
            assert!(show(&vector.packet[..at], SHORT, LIMIT).is_err(), "{} cut at {at}", vector.name);
            for value in [0, 1, 97, 106, 108, 116, 255] {
                let mut packet = vector.packet.clone();
                packet[at] = value;
                match show(&packet, SHORT, 1 << 20) {
                    Ok(text) => assert!(!text.is_empty()),
                    Err(defect) => {
                        refused += 1;
                        assert!(defect.inflated || defect.at <= packet.len(), "{}: {defect}", vector.name);
                    }
                }
            }
        }
    }
    assert!(refused > 10_000, "{refused}");
}
