//! The kernel's record of a process's CPU time.

use std::fs;
use std::iter::Sum;
use std::time::Duration;

/// How the threads of a process have spent their time, without the time spent waiting for anything other than a
/// processor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ProcessorTime {
    /// On a processor.
    pub(super) ran: Duration,
    /// In the queue for one, while others ran.
    pub(super) queued: Duration,
}

impl ProcessorTime {
    /// The record of a process until now; `None` if it is gone, or the system does not report it.
    pub(super) fn of(pid: u32) -> Option<Self> {
        let threads = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
        let times = threads.flatten().map(|thread| fs::read_to_string(thread.path().join("schedstat")).ok());
        times.map(|times| Self::read(&times?)).sum()
    }

    /// The difference to an earlier record.
    pub(super) fn since(self, earlier: Self) -> Self {
        let Self { ran, queued } = earlier;
        Self { ran: self.ran.saturating_sub(ran), queued: self.queued.saturating_sub(queued) }
    }

    /// The first two of three numbers, nanoseconds.
    fn read(schedstat: &str) -> Option<Self> {
        let mut numbers =
            schedstat.split_whitespace().map_while(|number| number.parse().ok()).map(Duration::from_nanos);
        Some(Self { ran: numbers.next()?, queued: numbers.next()? })
    }
}

impl Sum for ProcessorTime {
    fn sum<I: Iterator<Item = Self>>(times: I) -> Self {
        times
            .fold(Self::default(), |sum, Self { ran, queued }| Self { ran: sum.ran + ran, queued: sum.queued + queued })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_run_and_one_that_is_not_there_has_not() {
        let [ran, queued] = [308_116, 61_943].map(Duration::from_nanos);
        assert_eq!(ProcessorTime::read("308116 61943 1\n"), Some(ProcessorTime { ran, queued }));
        assert_eq!(ProcessorTime::read("\n"), None);
        assert_eq!(ProcessorTime::of(u32::MAX), None);
    }
}
