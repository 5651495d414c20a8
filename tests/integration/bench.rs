//! `portpool bench`: it measures every step, runs calls at once, and gives a hint that fits the function.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::thread::available_parallelism;

use rustix::process::Signal;
use serde_json::Value;

use crate::harness::command::{portpool, with_python};
use crate::harness::processes::{Mark, signal};
use crate::harness::{program, python};

fn bench(args: &[&str]) -> (i32, String, String) {
    with_python("bench", args)
}

/// What two workers, and pools of one and four, are tried with, on up to two processors.
const STEPS: [(u64, u64); 6] = [(1, 2), (2, 1), (2, 2), (2, 4), (2, 8), (4, 8)];

/// The report, and the calls per second of each step.
fn report(args: &[&str]) -> (Value, impl Fn(u64, u64) -> f64) {
    let (status, stdout, stderr) = bench(&[&["--json", "--size", "2"], args].concat());
    assert_eq!((status, stderr.as_str()), (0, ""), "{stdout}");
    let report: Value = serde_json::from_str(&stdout).unwrap();
    let steps = report["steps"].as_array().unwrap().clone();
    let rate = move |workers, callers| {
        let step = steps.iter().find(|step| step["workers"] == workers && step["callers"] == callers);
        step.unwrap_or_else(|| panic!("no step of {workers} and {callers}"))["calls_per_second"].as_f64().unwrap()
    };
    (report, rate)
}

#[test]
fn the_table_has_a_row_for_each_step_and_ends_with_a_size() {
    let (status, stdout, stderr) = bench(&["--size", "2", "--time", "50ms", "operator:add", "1", "2"]);
    assert_eq!((status, stderr.as_str()), (0, ""), "{stdout}");
    let [head, columns, rows @ .., size] = &stdout.lines().collect::<Vec<_>>()[..] else { panic!("{stdout}") };
    assert!(head.starts_with("operator:add, ") && head.ends_with("50.0ms per step"), "{head}");
    for column in ["workers", "callers", "calls/s", "p50", "p99", "p99.9", "queue", "run", "busy", "memory", "failed"] {
        assert!(columns.contains(column), "{columns}");
    }
    let number = |cell: Option<&str>| cell.unwrap().parse::<u64>().unwrap();
    let steps: Vec<(u64, u64)> = rows
        .iter()
        .map(|row| row.split_whitespace())
        .map(|mut cells| (number(cells.next()), number(cells.next())))
        .collect();
    assert!(STEPS.iter().all(|step| steps.contains(step)), "{stdout}");
    let width = |line: &str| line.chars().count();
    assert!(rows.iter().all(|row| width(row) == width(columns) && row.ends_with(" 0")), "{stdout}");
    assert!(size.starts_with("size "), "{size}");
}

#[test]
fn the_document_has_times_apart_memory_and_a_hint() {
    let (report, _) = report(&["--time", "50ms", "operator:add", "1", "2"]);
    assert_eq!((&report["function"], &report["interrupted"]), (&"operator:add".into(), &false.into()));
    assert_eq!((&report["seconds"], report["processors"].is_u64()), (&0.05.into(), true));
    for step in report["steps"].as_array().unwrap() {
        let time = |of: &str, which: &str| step[of][which].as_f64().unwrap();
        for of in ["total_us", "queue_us", "run_us"] {
            assert!(0.0 < time(of, "p50") && time(of, "p50") <= time(of, "p99"), "{step}");
            assert!(time(of, "p99") <= time(of, "p99.9"), "{step}");
        }
        assert!(time("run_us", "p50") < time("total_us", "p50"), "{step}");
        assert!(step["calls"].as_u64().unwrap() > 0 && step["failed"] == 0, "{step}");
        assert!(step["worker_memory"].as_u64().unwrap() > 1 << 20, "{step}");
        assert!(step["worker_busy"].as_f64().unwrap() > 0.0, "{step}");
    }
    assert!(report["hint"]["size"].is_u64() && report["hint"]["reason"].is_string(), "{report}");
}

#[test]
fn what_waits_does_more_with_more_workers_and_is_to_have_them() {
    let (report, rate) = report(&["--time", "400ms", "time:sleep", "0.05"]);
    assert!(rate(4, 8) > 2.0 * rate(1, 2), "{report}");
    assert_eq!(report["hint"]["size"], 4, "{report}");
    assert!(report["hint"]["reason"].as_str().unwrap().starts_with("the function waits "), "{report}");
}

#[test]
fn what_computes_is_to_have_no_more_workers_than_processors() {
    let spin = ["timeit:timeit", "sum(range(1000))", "--kwargs", "{\"number\": 100}"];
    let (report, _) = report(&[&["--time", "200ms"], &spin[..]].concat());
    let size = report["hint"]["size"].as_u64().unwrap();
    assert!(size <= available_parallelism().unwrap().get() as u64, "{report}");
    assert!(report["hint"]["reason"].as_str().unwrap().starts_with("the function computes "), "{report}");
}

#[test]
fn failures_are_counted_and_the_first_is_shown() {
    let every_second = "import sys; sys.calls = getattr(sys, 'calls', 0) + 1; 1 // (sys.calls % 2)";
    let (status, stdout, stderr) = bench(&["--size", "1", "--time", "50ms", "--json", "builtins:exec", every_second]);
    assert_eq!(status, 1, "{stdout}{stderr}");
    assert_eq!(stderr.matches("portpool: exception: ZeroDivisionError").count(), 1, "{stderr}");
    assert!(stderr.contains("Traceback"), "{stderr}");
    let report: Value = serde_json::from_str(&stdout).unwrap();
    for step in report["steps"].as_array().unwrap() {
        let (calls, failed) = (step["calls"].as_u64().unwrap(), step["failed"].as_u64().unwrap());
        let workers = step["workers"].as_u64().unwrap();
        assert!(calls > 0 && calls.abs_diff(failed) <= workers, "{step}");
    }
}

#[test]
fn a_function_that_never_works_is_given_up_after_a_step() {
    let (status, stdout, stderr) = bench(&["--time", "50ms", "math:sqroot", "4"]);
    assert_eq!(status, 1, "{stdout}{stderr}");
    assert_eq!(stderr, "portpool: undef: math has no function sqroot\ndid you mean sqrt?\n");
    let [_, _, row, end] = stdout.lines().collect::<Vec<_>>()[..] else { panic!("{stdout}") };
    assert!(row.split_whitespace().last().unwrap().parse::<u64>().unwrap() > 0, "{row}");
    assert_eq!(end, "no hint: too few measurements");
}

#[test]
fn wrong_usage_is_that_of_call() {
    for (args, says) in [
        (&["bench"][..], "MODULE:FUNCTION"),
        (&["bench", "operator.add"], "expected MODULE:FUNCTION"),
        (&["bench", "--size", "0", "operator:add"], "0 is not in 1..=256"),
        (&["bench", "--time", "0s", "operator:add"], "must be longer than 0"),
        (&["bench", "--time", "0.5ms", "operator:add"], "expected a time from 1ms to 24h"),
        (&["bench", "--time", "25h", "operator:add"], "expected a time from 1ms to 24h"),
        (&["bench", "--time", "soon", "operator:add"], "a number with a unit (ms, s, m or h)"),
    ] {
        let (status, stdout, stderr) = portpool(args);
        assert_eq!((status, stdout.as_str()), (2, ""), "{args:?}");
        assert!(stderr.contains(says), "{args:?}: {stderr}");
    }
    let (status, stdout, stderr) = portpool(&["bench", "--python", "/nowhere/python3", "operator:add", "1", "2"]);
    assert_eq!((status, stdout.as_str()), (3, ""), "{stderr}");
    assert!(stderr.contains("does not exist"), "{stderr}");
}

#[test]
fn what_was_measured_is_summed_up_when_it_is_interrupted() {
    let mark = Mark::new();
    let mut command = Command::new(program());
    mark.put_on(&mut command);
    command.args(["bench", "--python", python(), "--size", "2", "--time", "200ms", "time:sleep", "0.01"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut lines = String::new();
    for _ in 0..3 {
        stdout.read_line(&mut lines).unwrap();
    }
    signal(child.id(), Signal::INT);
    stdout.read_to_string(&mut lines).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{lines}");
    assert!(lines.lines().last().unwrap().starts_with("size 1: the function waits "), "{lines}");
    mark.assert_gone();
}
