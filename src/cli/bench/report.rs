//! The results of all steps, also as JSON.

use std::time::Duration;

use serde_json::{Value, json};

use super::hint::{Hint, hint};
use super::row::Row;
use crate::call::Mfa;
use crate::cli::times::Quantiles;

/// All measurements.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) mfa: Mfa,
    pub(super) processors: usize,
    /// How long each step was measured.
    pub(super) time: Duration,
    pub(super) rows: Vec<Row>,
}

impl Report {
    pub(super) fn new(mfa: Mfa, processors: usize, time: Duration) -> Self {
        Self { mfa, processors, time, rows: Vec::new() }
    }

    pub(super) fn hint(&self) -> Option<Hint> {
        hint(&self.rows, self.processors)
    }

    pub(super) fn to_json(&self, interrupted: bool) -> Value {
        json!({
            "function": self.mfa.to_string(),
            "processors": self.processors,
            "seconds": self.time.as_secs_f64(),
            "interrupted": interrupted,
            "steps": self.rows.iter().map(Row::to_json).collect::<Vec<_>>(),
            "hint": self.hint().map(|Hint { size, reason }| json!({"size": size, "reason": reason})),
        })
    }
}

impl Row {
    fn to_json(&self) -> Value {
        json!({
            "workers": self.step.workers,
            "callers": self.step.callers,
            "calls": self.calls,
            "failed": self.failed,
            "calls_per_second": self.calls_per_second,
            "total_us": self.total.map(micros),
            "queue_us": self.queue.map(micros),
            "run_us": self.run.map(micros),
            "worker_memory": self.memory,
            "worker_busy": self.busy,
        })
    }
}

fn micros(Quantiles { p50, p99, p999 }: Quantiles) -> Value {
    let micros = |time: Duration| time.as_nanos() as f64 / 1e3;
    json!({"p50": micros(p50), "p99": micros(p99), "p99.9": micros(p999)})
}
