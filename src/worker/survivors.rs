//! What a dead server leaves behind: the kernel kills the workers with it, but not what they have started themselves.

use std::fs;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::token;

/// How often the processes are looked through at most: one that forks without end is faster than any number of looks.
const ROUNDS: usize = 100;

/// Kills all processes of a server that has ended, also those that lead sessions of their own. They are known by their token: one that
/// has cleared its environment is not found.
pub fn kill_survivors(server: u32) {
    for _ in 0..ROUNDS {
        // What was forked during a look may have been missed by it.
        if processes().into_iter().filter(|pid| kill(*pid, server)).count() == 0 {
            return;
        }
    }
}

fn processes() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Whether the process was one of them. One that has ended already has no environment any more.
fn kill(pid: u32, server: u32) -> bool {
    let Some(known) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return false };
    // The descriptor first: the process whose token is read is the one that is killed.
    let Ok(process) = pidfd_open(known, PidfdFlags::empty()) else { return false };
    let is_left = token::read(pid).is_some_and(|(of, _)| of == server) && counts_as_we_do(pid);
    is_left && pidfd_send_signal(&process, Signal::KILL).is_ok()
}

/// A process of a container may be seen from outside. The server in its token is one of the container, whatever its number is.
fn counts_as_we_do(pid: u32) -> bool {
    let namespace = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    namespace("self").is_some_and(|own| namespace(&pid.to_string()) == Some(own))
}
