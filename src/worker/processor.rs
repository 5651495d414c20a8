//! What the kernel tells of a process's use of processors.

use std::fs;
use std::time::Duration;

/// How long the threads of a process have run, or have been ready to run while others did. Other load on the machine does not change that
/// as it changes the time that passes.
pub fn wanted_processor(pid: u32) -> Option<Duration> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    threads
        .flatten()
        .map(|thread| fs::read_to_string(thread.path().join("schedstat")).ok())
        .map(|times| wanted(&times?))
        .sum()
}

/// The first two of three numbers, nanoseconds: those on a processor, those in a queue for one.
fn wanted(schedstat: &str) -> Option<Duration> {
    let mut numbers = schedstat.split_whitespace().map_while(|number| number.parse().ok()).map(Duration::from_nanos);
    Some(numbers.next()? + numbers.next()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_on_a_processor_and_time_in_its_queue_are_wanted() {
        assert_eq!(wanted("308116 61943 1\n"), Some(Duration::from_nanos(370_059)));
        assert_eq!(wanted("\n"), None);
        assert_eq!(wanted_processor(u32::MAX), None);
    }
}
