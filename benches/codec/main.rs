//! How long the codec takes, in each direction: `cargo bench --bench codec`.
//!
//! `cargo bench --bench codec -- legs` and `.. -- doubling` print the tables of docs/performance.md. `cargo test
//! --bench codec` runs everything once, so that it keeps working.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a bench stops at the first surprise"
)]

mod payloads;
mod sample;
mod tables;

use std::cell::LazyCell;
use std::time::Duration;

use criterion::Criterion;

use payloads::PAYLOADS;
use sample::Sample;

/// The program's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn each_way(criterion: &mut Criterion) {
    for payload in PAYLOADS {
        let sample = LazyCell::new(|| Sample::of(&payload, Duration::ZERO));
        let mut group = criterion.benchmark_group(payload.name);
        group.sample_size(if payload.name.contains("MB") { 10 } else { 100 });
        group.bench_function("to pickle", |bencher| bencher.iter(|| sample.there()));
        group.bench_function("from pickle", |bencher| bencher.iter(|| sample.back()));
        group.finish();
    }
}

fn main() {
    let is_asked = |word: &str| std::env::args().any(|arg| arg == word);
    match () {
        () if is_asked("legs") => tables::legs(&tables::FULL),
        () if is_asked("doubling") => tables::doubling(&tables::FULL),
        () => {
            let criterion = Criterion::default().warm_up_time(Duration::from_millis(500));
            let mut criterion = criterion.measurement_time(Duration::from_secs(2)).configure_from_args();
            each_way(&mut criterion);
            criterion.final_summary();
        }
    }
    if !is_asked("--bench") {
        tables::legs(&tables::SMOKE);
        tables::doubling(&tables::SMOKE);
    }
}
