//! docs/faults.md has every row, and the tests that it and docs/security.md name exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::Skipped;
use crate::harness::summary;

/// The rows that there have been from the first day; more may follow.
const LEAST_ROWS: u32 = 48;

/// The number of a row, and the letter of a variant.
fn number(row: &str) -> (u32, &str) {
    let digits = row.trim_end_matches(|c: char| c.is_ascii_lowercase());
    (digits.parse().unwrap(), &row[digits.len()..])
}

/// The rows are numbered from 1 on, and the variants of one fault follow it: 8, 8a, 9.
fn assert_in_order(rows: &[&str]) {
    let mut last = (0, String::new());
    for row in rows {
        let (number, letter) = number(row);
        let next = match last.1.chars().next() {
            None => "a".to_owned(),
            Some(letter) => char::from_u32(u32::from(letter) + 1).unwrap().to_string(),
        };
        let follows = (number == last.0 + 1 && letter.is_empty()) || (number == last.0 && letter == next);
        assert!(follows, "row {row} follows row {}{}", last.0, last.1);
        last = (number, letter.to_owned());
    }
    assert!(last.0 >= LEAST_ROWS, "the last row is {}", last.0);
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).ok()
}

/// Whether a test exists: `file::test` in tests/integration, `elixir/test/file: test` in Elixir.
fn exists(test: &str) -> bool {
    if let Some((file, name)) = test.split_once(": ").filter(|_| test.starts_with("elixir/test/")) {
        let begins = format!("test \"{name}\"");
        return read(file).unwrap_or_default().lines().any(|line| line.trim_start().starts_with(&begins));
    }
    let Some((file, name)) = test.split_once("::") else { return false };
    let source = read(&format!("tests/integration/{file}.rs")).unwrap_or_default();
    source.contains(&format!("#[test]\nfn {name}()")) || source.contains(&format!("#[tokio::test]\nasync fn {name}()"))
}

/// The tests of a cell. Their names in Elixir may have commas.
fn tests_of(cell: &str) -> Vec<String> {
    let mut tests: Vec<String> = Vec::new();
    for part in cell.split(", ") {
        let begins = part.starts_with("elixir/test/") || part.split(' ').next().unwrap().contains("::");
        match tests.last_mut().filter(|_| !begins) {
            Some(test) => test.extend([", ", part]),
            None => tests.push(part.to_owned()),
        }
    }
    tests
}

#[test]
fn only_a_test_that_is_there_exists() {
    for test in [
        "death::nothing_is_left_when_stdin_closes",
        "elixir/test/timeout_test.exs: a call that overruns is stopped, and leaves nothing in the mailbox",
    ] {
        assert!(exists(test), "{test}");
    }
    for test in [
        "death::nothing_is_left_when_stdin",
        "nowhere::nothing_is_left_when_stdin_closes",
        "elixir/test/timeout_test.exs",
        "elixir/test/timeout_test.exs: a call that overruns",
        "elixir/test/nowhere_test.exs: a call that overruns is stopped, and leaves nothing in the mailbox",
    ] {
        assert!(!exists(test), "{test}");
    }
    assert_eq!(
        tests_of("a::b, elixir/test/x.exs: one, two, c/d::e"),
        ["a::b", "elixir/test/x.exs: one, two", "c/d::e"]
    );
}

#[test]
fn each_row_is_there_and_names_tests_that_exist() {
    let document = read("docs/faults.md").unwrap();
    let (table, _figures) = document.split_once("## Figures").unwrap();
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| row"))
        .map(|row| row.trim_matches(['|', ' ']).split(" | ").collect())
        .collect();
    assert_in_order(&rows.iter().map(|row| row[0]).collect::<Vec<_>>());
    let mut tests = BTreeSet::new();
    for row in &rows {
        assert_eq!(row.len(), 5, "{row:?}");
        for test in tests_of(row[4]) {
            assert!(exists(&test), "row {}: there is no test {test}", row[0]);
            tests.insert(test);
        }
    }
    let skipped = super::skipped();
    let whole: BTreeSet<&str> = skipped.iter().filter(|skipped| skipped.whole).map(|skipped| skipped.row).collect();
    let (rows, run, tests) = (rows.len(), rows.len() - whole.len(), tests.len());
    // A run that one of them fails has no summary.
    let mut seen = format!("faults: {rows} rows, {tests} tests: {run} rows run, {run} passed, {} skipped", whole.len());
    for Skipped { row, whole, why } in skipped {
        let part = if whole { "skipped" } else { "in part" };
        seen.push_str(&format!("\n  row {row}, {part}: {why}"));
    }
    summary::add("10-faults", &seen);
}

#[test]
fn the_tests_that_the_document_on_security_names_exist() {
    let document = read("docs/security.md").unwrap();
    let named: Vec<&str> = document.split('`').filter(|part| part.contains("::") && *part != "file::test").collect();
    assert!(named.len() > 10);
    for test in named {
        assert!(exists(test), "there is no test {test}");
    }
}

#[test]
fn each_test_that_is_named_after_a_row_is_in_that_row() {
    let document = read("docs/faults.md").unwrap();
    for file in ["calls", "results", "system"] {
        let source = read(&format!("tests/integration/faults/{file}.rs")).unwrap();
        assert!(source.contains("fn row_"), "{file} has no row");
        for name in source.split("fn row_").skip(1).filter_map(|rest| rest.split_once("()")).map(|(name, _)| name) {
            let number = name.split('_').next().unwrap().trim_start_matches('0');
            let row = document.lines().find(|line| line.starts_with(&format!("| {number} |"))).unwrap();
            assert!(row.contains(&format!("faults/{file}::row_{name}")), "row {number} lacks row_{name}");
        }
    }
}
