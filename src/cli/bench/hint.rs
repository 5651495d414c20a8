//! The recommended number of workers for this function.

use super::row::Row;

/// More workers are worth their memory if calls per second grow by at least this fraction.
const GROWTH: f64 = 0.05;
/// A function computes if it uses a processor for at least this fraction of its time; otherwise it waits.
const COMPUTES: f64 = 0.5;

/// A size, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hint {
    pub(super) size: usize,
    pub(super) reason: String,
}

/// The smallest pool that no larger one clearly beats. More computing workers than processors bring nothing, whatever a noisy machine
/// shows.
pub(super) fn hint(rows: &[Row], processors: usize) -> Option<Hint> {
    let busy = busy(rows);
    let limit = if busy.is_some_and(|busy| busy >= COMPUTES) { processors } else { usize::MAX };
    let full = || rows.iter().filter(|row| row.step.is_full() && row.step.workers <= limit && row.calls > 0);
    let best = full().map(|row| row.calls_per_second).fold(0.0, f64::max);
    let size = full().find(|row| row.calls_per_second * (1.0 + GROWTH) >= best)?.step.workers;
    let largest = full().map(|row| row.step.workers).max()?;
    let why = if size < largest {
        format!("adding workers beyond {size} raises calls/s by less than {:.0} %", GROWTH * 100.0)
    } else if size < limit {
        format!("calls/s still grow at {size} workers, the most tried (--size {size} tries twice as many)")
    } else {
        format!("more workers than the {processors} processors would only take turns")
    };
    let reason = match busy {
        Some(busy) if busy >= COMPUTES => {
            format!(
                "the function computes (a worker uses a processor for {:.0} % of its time), and {why}",
                busy * 100.0
            )
        }
        Some(busy) => {
            format!("the function waits (a worker uses a processor for {:.0} % of its time), and {why}", busy * 100.0)
        }
        None => why,
    };
    Some(Hint { size, reason })
}

/// The fraction of its time for which an undisturbed worker uses a processor: with one caller, or the fewest measured.
fn busy(rows: &[Row]) -> Option<f64> {
    rows.iter().filter(|row| row.calls > 0).min_by_key(|row| row.step.callers)?.busy
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::bench::plan::Step;

    /// Rows of pools of 1, 2, 4, .. workers with these calls per second.
    fn rows(busy: Option<f64>, calls: &[f64]) -> Vec<Row> {
        let row = |workers, calls_per_second| Row {
            step: Step { workers, callers: 2 * workers },
            calls: 100,
            failed: 0,
            calls_per_second,
            total: None,
            queue: None,
            run: None,
            memory: None,
            busy,
        };
        calls.iter().enumerate().map(|(doublings, calls)| row(1 << doublings, *calls)).collect()
    }

    fn size(busy: Option<f64>, calls: &[f64], processors: usize) -> (usize, String) {
        let Hint { size, reason } = hint(&rows(busy, calls), processors).unwrap();
        (size, reason)
    }

    #[test]
    fn what_computes_gets_no_more_workers_than_processors() {
        let (two, why) = size(Some(0.97), &[100.0, 190.0, 210.0], 2);
        assert_eq!((two, why.contains("97 %") && why.contains("the 2 processors")), (2, true), "{why}");
        let (one, why) = size(Some(1.0), &[100.0, 102.0, 99.0], 2);
        assert_eq!((one, why.contains("beyond 1 raises calls/s by less than 5 %")), (1, true), "{why}");
        let (four, why) = size(Some(0.9), &[100.0, 200.0, 400.0], 16);
        assert_eq!((four, why.contains("still grow")), (4, true), "{why}");
    }

    #[test]
    fn what_waits_gets_as_many_as_bring_more() {
        let (four, why) = size(Some(0.02), &[100.0, 200.0, 400.0], 2);
        assert_eq!((four, why.starts_with("the function waits") && why.contains("--size 4")), (4, true), "{why}");
        assert_eq!(size(Some(0.02), &[100.0, 199.0, 203.0], 2).0, 2);
        assert_eq!(size(None, &[100.0, 101.0, 102.0], 2).0, 1);
        assert_eq!(hint(&[], 2), None);
    }
}
