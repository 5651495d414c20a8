//! Which processes are alive, from /proc: the only proof of death.

use std::fs;
use std::process::Command;
use std::time::Instant;

use rustix::process::{Pid, Signal};

use super::{SOON, unique};

const MARK: &str = "PORTPOOL_TEST";

/// A mark in the environment of a server, which all that it starts inherits.
#[derive(Clone)]
pub struct Mark(String);

impl Mark {
    pub fn new() -> Self {
        Self(format!("{}.{}", std::process::id(), unique()))
    }

    pub fn put_on(&self, command: &mut Command) {
        command.env(MARK, &self.0);
    }

    /// The processes that bear it, zombies not among them.
    pub fn bearers(&self) -> Vec<u32> {
        let entry = format!("{MARK}={}", self.0);
        let bears = |pid: &u32| {
            let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environ.split(|byte| *byte == 0).any(|variable| variable == entry.as_bytes())
        };
        pids().into_iter().filter(bears).collect()
    }

    /// Waits until none is left.
    pub fn assert_gone(&self) {
        let end = Instant::now() + SOON;
        loop {
            let left = self.bearers();
            if left.is_empty() {
                return;
            }
            assert!(
                Instant::now() < end,
                "still alive: {left:?}: {:?}",
                left.iter().map(|pid| command_line(*pid)).collect::<Vec<_>>()
            );
        }
    }
}

fn pids() -> Vec<u32> {
    fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

fn command_line(pid: u32) -> String {
    String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default()).replace('\0', " ")
}

/// Whether a process runs; a zombie does not.
pub fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Whether a process has been sent SIGKILL, or is gone: the signal stays pending while the kernel ends the process.
pub fn is_killed(pid: u32) -> bool {
    const SIGKILL: u64 = 1 << 8;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let mut pending = status.lines().filter_map(|line| {
        let set = line.strip_prefix("SigPnd:").or_else(|| line.strip_prefix("ShdPnd:"))?;
        u64::from_str_radix(set.trim(), 16).ok()
    });
    pending.any(|set| set & SIGKILL != 0) || !is_alive(pid)
}

pub fn assert_dies(pid: u32) {
    let end = Instant::now() + SOON;
    while is_alive(pid) {
        assert!(Instant::now() < end, "process {pid} is still alive: {}", command_line(pid));
    }
}

pub fn signal(pid: u32, signal: Signal) {
    rustix::process::kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
}

/// A number of kilobytes in /proc/PID/status: `VmRSS`, `VmHWM`.
pub fn kilobytes(pid: u32, name: &str) -> usize {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
