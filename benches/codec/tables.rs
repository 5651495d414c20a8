//! Two tables: the fastest of many runs, which a busy machine disturbs least, and the cost of twice the size.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::payloads::{KINDS, PAYLOADS, STR};
use crate::sample::Sample;

/// How much effort to spend on finding the fastest run.
pub(crate) struct Effort {
    /// The minimum total duration of the runs of one cell.
    pub(crate) cell: Duration,
    /// The minimum number of runs.
    pub(crate) runs: usize,
    /// The sizes to double, in MB.
    pub(crate) sizes: &'static [usize],
}

/// The effort for the published figures.
pub(crate) const FULL: Effort = Effort { cell: Duration::from_millis(500), runs: 15, sizes: &[1, 2, 4, 8, 16, 32, 64] };
/// Enough to check that it still works.
pub(crate) const SMOKE: Effort = Effort { cell: Duration::ZERO, runs: 1, sizes: &[1] };

/// Prints the time of each payload on each of the four legs of its path.
pub(crate) fn legs(effort: &Effort) {
    println!("| payload | bytes | ETF to pickle | `loads` in Python | `dumps` in Python | pickle to ETF | total, µs |");
    println!("|---|---|---|---|---|---|---|");
    for payload in PAYLOADS {
        let sample = Sample::of(&payload, effort.cell);
        let micros = |run: &dyn Fn() -> usize| effort.fastest(run).as_secs_f64() * 1e6;
        let (there, back) = (micros(&|| sample.there()), micros(&|| sample.back()));
        let [load, dump] = sample.python;
        let (name, bytes, all) = (payload.name, sample.args.len(), there + load + dump + back);
        println!("| {name} | {bytes} | {there:.2} | {load:.2} | {dump:.2} | {back:.2} | {all:.2} |");
    }
}

/// The largest allowed ratio for twice the size.
const MOST: f64 = 2.2;

/// Doubles payloads and prints what each doubling costs, next to a plain copy of the text, which shows the effect of
/// the machine's caches.
pub(crate) fn doubling(effort: &Effort) {
    println!("| payload | MB | ETF to pickle, ms | x | pickle to ETF, ms | x |\n|---|---|---|---|---|---|");
    for (name, bytes, make) in KINDS {
        series(name, effort, |size| {
            let sample = Sample::new(&make(size / bytes), STR, Duration::ZERO);
            [effort.fastest(&|| sample.there()), effort.fastest(&|| sample.back())]
        });
    }
    series("a plain copy", effort, |size| {
        let bytes = vec![b'x'; size];
        [effort.fastest(&|| black_box(&bytes).clone().len()); 2]
    });
}

fn series(name: &str, effort: &Effort, times: impl Fn(usize) -> [Duration; 2]) {
    let mut before: Option<[f64; 2]> = None;
    for megabytes in effort.sizes {
        let now = times(megabytes * 1_000_000).map(|time| time.as_secs_f64() * 1000.0);
        let [there, back] = [0, 1].map(|way| before.map_or(String::new(), |then| ratio(now[way] / then[way])));
        println!("| {name} | {megabytes} | {:.2} | {there} | {:.2} | {back} |", now[0], now[1]);
        before = Some(now);
    }
}

fn ratio(ratio: f64) -> String {
    format!("{ratio:.2}{}", if ratio > MOST { " over" } else { "" })
}

impl Effort {
    /// The time of the fastest run: disturbances only add time.
    fn fastest(&self, run: &dyn Fn() -> usize) -> Duration {
        let (begun, mut best, mut runs) = (Instant::now(), Duration::MAX, 0);
        while runs < self.runs || begun.elapsed() < self.cell {
            let one = Instant::now();
            black_box(run());
            best = best.min(one.elapsed());
            runs += 1;
        }
        best
    }
}
