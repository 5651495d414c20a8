//! Cleans up after a dead server: the kernel kills the workers with it, but not what they have started.

use std::fs;

use super::pidfd::kill_if;
use super::token;

/// How often to go through the processes: one that forks without end is faster than any number of rounds.
const ROUNDS: usize = 100;

/// Kills all processes of a server that has ended, including those in sessions of their own. They are known by their
/// token: one that has cleared its environment is not found.
pub fn kill_survivors(server: u32) {
    for _ in 0..ROUNDS {
        // A round may miss what was forked during it.
        if processes().into_iter().filter(|pid| kill_if(*pid, |pid| is_left_by(server, pid))).count() == 0 {
            return;
        }
    }
}

fn processes() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Returns whether a process is one of them. One that has ended has no environment any more.
fn is_left_by(server: u32, pid: u32) -> bool {
    token::read(pid).is_some_and(|(of, _)| of == server) && counts_as_we_do(pid)
}

/// Processes of a container may be visible from outside. The server in their token is a process of the container,
/// whatever its pid is here.
fn counts_as_we_do(pid: u32) -> bool {
    let namespace = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    namespace("self").is_some_and(|own| namespace(&pid.to_string()) == Some(own))
}
