//! The system resources of a server, from /proc.

use std::fmt;
use std::fs;
use std::time::Instant;

use portpool::config::processors;

use crate::harness::processes::kilobytes;
use crate::harness::{SOON, Server};

pub struct Footprint {
    pub descriptors: usize,
    pub threads: usize,
    pub kilobytes: usize,
    /// The most that it has been so far.
    pub most_kilobytes: usize,
}

impl Footprint {
    pub fn of(server: &Server) -> Self {
        let count = |folder: &str| fs::read_dir(format!("/proc/{}/{folder}", server.pid())).unwrap().count();
        let memory = |name| kilobytes(server.pid(), name);
        let (kilobytes, most_kilobytes) = (memory("VmRSS:"), memory("VmHWM:"));
        Self { descriptors: count("fd"), threads: count("task"), kilobytes, most_kilobytes }
    }
}

impl Footprint {
    /// The same, once it has no more descriptors than before, or soon: who looks through /proc at this very moment has one open for that.
    pub fn at_rest(server: &Server, before: &Self) -> Self {
        let end = Instant::now() + SOON;
        loop {
            let now = Self::of(server);
            if now.descriptors <= before.descriptors || Instant::now() >= end {
                return now;
            }
        }
    }

    /// What is there now and was not before. Zombies have been looked for already, memory is a matter of degree, and helper threads
    /// come and go, at most one for each processor.
    pub fn leaks(&self, before: &Self) -> String {
        let more = |now: usize, before: usize| now.saturating_sub(before);
        let (descriptors, threads) =
            (more(self.descriptors, before.descriptors), more(self.threads, before.threads + processors()));
        format!("{descriptors} descriptors, {threads} threads, 0 zombies")
    }
}

impl fmt::Display for Footprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} descriptors, {} threads, {} kB, at most {}",
            self.descriptors, self.threads, self.kilobytes, self.most_kilobytes
        )
    }
}

/// The fields of /proc/PID/stat from the state on.
fn stat(pid: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(stat.rsplit_once(") ")?.1.split(' ').map(str::to_owned).collect())
}

pub fn parent(pid: u32) -> Option<u32> {
    stat(pid)?.get(1)?.parse().ok()
}

fn zombies_of(server: u32) -> Vec<u32> {
    let pids = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_zombie = |pid: &u32| stat(*pid).is_some_and(|stat| stat[0] == "Z" && stat[1] == server.to_string());
    pids.filter(is_zombie).collect()
}

/// Each process that has ended is reaped at once, or soon.
pub fn assert_no_zombie(server: &Server) {
    let end = Instant::now() + SOON;
    loop {
        let zombies = zombies_of(server.pid());
        if zombies.is_empty() {
            return;
        }
        assert!(Instant::now() < end, "zombies: {zombies:?}");
    }
}
