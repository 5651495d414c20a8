//! Runs programs under callgrind and counts their instructions, in a way that gives steady counts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Why instructions cannot be counted here, or not compared with the record.
pub(crate) fn is_usable() -> Result<(), &'static str> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err("the record is that of Linux on x86-64");
    }
    let asked = Command::new("valgrind").arg("--version").stdout(Stdio::null()).status();
    if asked.is_ok_and(|status| status.success()) { Ok(()) } else { Err("there is no valgrind") }
}

/// The first line of a command's version output.
pub(crate) fn version(program: &str) -> String {
    let output = Command::new(program).arg("--version").output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().next().unwrap_or_default().to_owned()
}

/// Makes this process, and everything it starts, run on one processor. Server, worker and owner then take turns in the
/// same order each time, whatever else the machine does. On two processors the count varies by 2 %, on one by less than
/// 1 %.
pub(crate) fn stay_on_one_processor() {
    let allowed = sched_getaffinity(None).unwrap();
    let first = (0..CpuSet::MAX_CPU).find(|processor| allowed.is_set(*processor)).unwrap();
    let mut one = CpuSet::new();
    one.set(first);
    sched_setaffinity(None, &one).unwrap();
}

/// A program run under callgrind.
pub(crate) struct Run {
    profile: PathBuf,
    log: PathBuf,
}

impl Run {
    /// The run of this name, and its command, without the program's arguments.
    pub(crate) fn new(name: &str, program: impl AsRef<Path>) -> (Self, Command) {
        let file = |ending: &str| Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("instructions-{name}.{ending}"));
        let run = Self { profile: file("callgrind"), log: file("log") };
        // A profile of an earlier run would be taken for this one's.
        let _ = fs::remove_file(&run.profile);
        let mut command = Command::new("valgrind");
        command
            .arg("--tool=callgrind")
            .arg(format!("--callgrind-out-file={}", run.profile.display()))
            // Also for its complaints about unknown system calls.
            .arg(format!("--log-file={}", run.log.display()))
            .arg(program.as_ref());
        (run, command)
    }

    /// The number of instructions, once it has ended.
    pub(crate) fn instructions(&self) -> u64 {
        let profile = fs::read_to_string(&self.profile).unwrap_or_default();
        let total =
            profile.lines().find_map(|line| line.strip_prefix("totals: ")).and_then(|total| total.trim().parse().ok());
        total.unwrap_or_else(|| panic!("valgrind failed:\n{}", fs::read_to_string(&self.log).unwrap_or_default()))
    }

    /// The path of the profile.
    pub(crate) fn profile(&self) -> &Path {
        &self.profile
    }
}
