//! How long the pool's core takes to dispatch and end a call: `cargo bench --bench pool_core`.

#![allow(missing_docs, reason = "nobody reads a bench from outside")]

mod load;

use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};

use load::Load;

fn call_and_finish(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("call and finish, 8 workers");
    for waiting in [0, 1000] {
        group.throughput(criterion::Throughput::Elements(1000));
        // A thousand steps with a fresh core each time: its clock must not reach the timers.
        group.bench_function(format!("1000 calls, {waiting} waiting"), |bencher| {
            bencher.iter_batched_ref(
                || Load::new(waiting),
                |load| (0..1000).for_each(|_| load.step()),
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = call_and_finish
}
criterion_main!(benches);
