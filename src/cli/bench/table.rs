//! The report for people.

use std::time::Duration;

use super::hint::Hint;
use super::report::Report;
use super::row::Row;
use crate::cli::times::Quantiles;

/// The lines before the steps.
pub(super) fn head(report: &Report) -> String {
    let Report { mfa, processors, time, .. } = report;
    let columns = ["workers", "callers", "calls/s", "p50", "p99", "p99.9", "queue p50", "p99", "run p50", "p99"];
    let columns: Vec<String> = columns.iter().zip(WIDTHS).map(|(name, width)| format!("{name:>width$}")).collect();
    format!("{mfa}, {processors} processors, {time:.1?} per step\n{}   busy  memory  failed", columns.join(" "))
}

/// The widths of the columns up to the last three.
const WIDTHS: [usize; 10] = [7, 7, 9, 8, 8, 8, 9, 8, 8, 8];

/// The line of one step.
pub(super) fn row(row: &Row) -> String {
    let Row { step, total, queue, run, failed, .. } = row;
    let of = |times: &Option<Quantiles>, which: fn(&Quantiles) -> Duration| {
        times.as_ref().map_or_else(|| "-".to_owned(), |times| format!("{:.1?}", which(times)))
    };
    let all = [of(total, |all| all.p50), of(total, |all| all.p99), of(total, |all| all.p999)];
    let parts = [of(queue, |all| all.p50), of(queue, |all| all.p99), of(run, |all| all.p50), of(run, |all| all.p99)];
    let counts = [step.workers.to_string(), step.callers.to_string(), calls_per_second(row.calls_per_second)];
    let cells = counts.into_iter().chain(all).chain(parts);
    let cells: Vec<String> = cells.zip(WIDTHS).map(|(cell, width)| format!("{cell:>width$}")).collect();
    let busy = row.busy.map_or_else(|| "-".to_owned(), |busy| format!("{:.0} %", busy * 100.0));
    let memory = row.memory.map_or_else(|| "-".to_owned(), |bytes| format!("{:.1} MB", bytes as f64 / 1e6));
    format!("{} {busy:>6} {memory:>7} {failed:>7}", cells.join(" "))
}

fn calls_per_second(calls: f64) -> String {
    if calls < 100.0 { format!("{calls:.1}") } else { format!("{calls:.0}") }
}

/// The line after the steps.
pub(super) fn end(report: &Report) -> String {
    match report.hint() {
        Some(Hint { size, reason }) => format!("size {size}: {reason}"),
        None => "no hint: too few measurements".to_owned(),
    }
}
