//! The documents and the program agree.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use portpool::call::Reason;

fn document(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The rows of the table behind this text, cells trimmed, without the head.
fn table_after(document: &str, text: &str) -> Vec<Vec<String>> {
    let rest = document.split_once(text).unwrap_or_else(|| panic!("{text} is not in the document")).1;
    let rows = rest.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    rows.skip(2)
        .map(|row| row.trim_matches('|').split(" | ").map(|cell| cell.trim().replace('`', "")).collect())
        .collect()
}

#[test]
fn the_table_of_reasons_is_the_programs() {
    let rows = table_after(&document("docs/protocol.md"), "9.2 The reasons");
    let documented: Vec<(String, bool)> = rows.iter().map(|row| (row[0].clone(), row[3] == "true")).collect();
    let known: Vec<(String, bool)> =
        Reason::ALL.iter().map(|reason| (reason.name().to_owned(), reason.retryable())).collect();
    assert_eq!(documented, known);
}

/// Reasons of the client's own: elixir/lib/portpool/error.ex says when.
const OF_THE_CLIENT: [&str; 3] = ["noproc", "unsafe_term", "incompatible"];

#[test]
fn the_client_knows_the_same_reasons_and_its_own() {
    let error = document("elixir/lib/portpool/error.ex");
    let list = error.split_once("@type reason ::").unwrap().1.split_once("\n\n").unwrap().0;
    let reasons: Vec<&str> = list.split('|').map(|reason| reason.trim().strip_prefix(':').unwrap()).collect();
    let known: BTreeSet<&str> = reasons.iter().copied().collect();
    assert_eq!(known.len(), reasons.len(), "one is there twice: {reasons:?}");
    assert_eq!(known, Reason::ALL.iter().map(|reason| reason.name()).chain(OF_THE_CLIENT).collect());
}

#[test]
fn the_tables_of_options_are_the_programs() {
    for (title, file, list) in
        [("7.2 Options of the pool", "pool.rs", "POOL_OPTIONS"), ("7.3 Options of a call", "call.rs", "CALL_OPTIONS")]
    {
        let source = document(&format!("src/port/options/{file}"));
        let rows = table_after(&document("docs/protocol.md"), title);
        let documented: BTreeSet<String> =
            rows.iter().flat_map(|row| row[0].split(", ").map(str::to_owned).collect::<Vec<_>>()).collect();
        let known = source
            .split_once(&format!("const {list}"))
            .unwrap()
            .1
            .split_once('=')
            .unwrap()
            .1
            .split_once(']')
            .unwrap()
            .0;
        let known: BTreeSet<String> = known.split('"').skip(1).step_by(2).map(str::to_owned).collect();
        assert_eq!(documented, known, "{title}");
    }
}

#[test]
fn the_two_halves_of_the_worker_protocol_have_the_same_kinds() {
    let rust = document("src/worker/wire.rs");
    let python = document("priv/python/portpool/_wire.py");
    let rows = table_after(&document("docs/worker_protocol.md"), "## 4 Worker to server");
    assert_eq!(rows.len(), 11);
    for row in rows {
        let (number, name) = (&row[0], &row[1]);
        let camel: String = name.split('_').map(|part| part[..1].to_uppercase() + &part[1..]).collect();
        assert!(rust.contains(&format!("    {camel} = {number},")), "wire.rs: {camel} = {number}");
        assert!(python.contains(&format!("\n{} = {number}\n", name.to_uppercase())), "_wire.py: {name} = {number}");
    }
}

#[test]
fn the_table_of_what_pickles_call_is_the_programs() {
    let source = document("src/codec/global.rs");
    let names = source.split_once("fn name(self)").unwrap().1.split_once("\n    }\n").unwrap().0;
    let known: Vec<&str> = names.split('"').skip(1).step_by(2).collect();
    let rows = table_after(&document("docs/worker_protocol.md"), "4.5 Apart from plain values");
    let documented: Vec<(String, String)> = rows.into_iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    let coded = known.iter().enumerate().map(|(number, name)| (format!("{:#x}", 0x7070_0000 + number), (*name).into()));
    assert_eq!(documented, coded.collect::<Vec<_>>());
}
