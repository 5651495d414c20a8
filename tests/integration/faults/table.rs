//! docs/faults.md has every row, and the tests that it and docs/security.md name exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::Skipped;
use crate::harness::summary;

/// The rows in their order; those with a letter are variants of one fault.
fn rows_wanted() -> Vec<String> {
    let numbers = (1..=48).map(|row: u32| row.to_string());
    numbers
        .flat_map(|row| match row.as_str() {
            "27" => vec![row, "27a".to_owned()],
            "8" => vec![row, "8a".to_owned()],
            "36" => ["36", "36a", "36b", "36c", "36d"].map(str::to_owned).to_vec(),
            "42" => vec![row, "42a".to_owned()],
            "37" => vec![row, "37a".to_owned(), "37b".to_owned()],
            _ => vec![row],
        })
        .collect()
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).ok()
}

fn exists(test: &str) -> bool {
    if test.starts_with("elixir/test/") {
        return read(test).is_some();
    }
    let Some((file, name)) = test.split_once("::") else { return false };
    let source = read(&format!("tests/integration/{file}.rs")).unwrap_or_default();
    source.contains(&format!("#[test]\nfn {name}()")) || source.contains(&format!("#[tokio::test]\nasync fn {name}()"))
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
    let numbers: Vec<String> = rows.iter().map(|row| row[0].to_owned()).collect();
    assert_eq!(numbers, rows_wanted());
    let mut tests = BTreeSet::new();
    for row in &rows {
        assert_eq!(row.len(), 5, "{row:?}");
        for test in row[4].split(", ") {
            assert!(exists(test), "row {}: there is no test {test}", row[0]);
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
        for name in source.split("fn row_").skip(1).filter_map(|rest| rest.split_once("()")).map(|(name, _)| name) {
            let number = name.split('_').next().unwrap().trim_start_matches('0');
            let row = document.lines().find(|line| line.starts_with(&format!("| {number} |"))).unwrap();
            assert!(row.contains(&format!("faults/{file}::row_{name}")), "row {number} lacks row_{name}");
        }
    }
}
