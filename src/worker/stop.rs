//! How a call is stopped: an interrupt that hits no other, and a kill that says where Python was. Both go by way of a memory file that
//! the server shares with the process. docs/worker_protocol.md 6. Twin of `priv/python/portpool/_stop.py`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::time::Duration;

use rustix::process::Signal;
use tokio::time::{Instant, timeout_at};

use super::event::Stacks;
use super::process::Process;
use crate::call::CallId;

/// The name of the memory file, as /proc shows it.
const FILE: &str = "/memfd:portpool (deleted)";
/// Has Python write its stacks into the file and end.
const DUMP: Signal = Signal::STKFLT;
/// Where the number stands that says whether the process is to end. Before it stands the call that is to be interrupted.
const TERMINATE_AT: u64 = 8;
/// Where the dump begins.
const DUMP_AT: u64 = 16;
/// A longer dump is cut here.
const LONGEST: u64 = 64 << 10;

/// A process whose channel is closed is usually about to end; one that is not is killed after this.
pub(super) const END_GRACE: Duration = Duration::from_millis(100);
/// How long a worker has to say where Python is before it is killed: its caller waits for the answer. On a busy machine it has more.
pub(super) const DUMP_LIMIT: Duration = Duration::from_millis(20);
/// A timer that fires so much later than it was set for shows that the machine is busy: our own are exact to a millisecond or two.
const LATE: Duration = Duration::from_millis(3);
/// How many times the limit a process has at most while timers are late.
const MOST: u32 = 4;

/// Has Python say where it is, and kills it. A process that takes the signal ends when it has written all. docs/worker_protocol.md 6.3
pub(super) async fn dump_and_kill(process: &Process, limit: Duration) -> Stacks {
    let was_stopped = process.is_stopped();
    let file = SharedFile::of(process.pid());
    if file.is_some() && !was_stopped {
        process.signal(DUMP);
        // It may be unable to say, for instance in the middle of a system call that nothing interrupts.
        ends_within(process, limit).await;
    }
    process.kill();
    if was_stopped { Stacks::WasStopped } else { file.map_or(Stacks::None, SharedFile::stacks) }
}

/// Waits until a process has ended, within the limit. Where our own timer was late the process has had to wait for a processor, too, and
/// gets the limit once more.
async fn ends_within(process: &Process, limit: Duration) {
    let longest = Instant::now() + limit * MOST;
    let mut until = Instant::now() + limit;
    while timeout_at(until, process.ended()).await.is_err() {
        let now = Instant::now();
        if now.duration_since(until) < LATE || now >= longest {
            return;
        }
        until = (now + limit).min(longest);
    }
}

/// Raises KeyboardInterrupt in this call, if it still runs. Its reply may be on the way, so the process is told first which call
/// is meant. docs/worker_protocol.md 6.2
pub(super) fn interrupt(process: &Process, call: CallId) {
    if SharedFile::of(process.pid()).is_some_and(|file| file.write(0, call.0).is_ok()) {
        process.signal(Signal::INT);
    }
}

/// Ends the process by SIGTERM, which a worker takes no notice of unless it is told that the server has sent it.
/// docs/worker_protocol.md 6.4
pub(super) fn terminate(process: &Process) {
    // One that has no file, or has closed it, is killed when its time is over.
    let _ = SharedFile::of(process.pid()).map(|file| file.write(TERMINATE_AT, 1));
    process.signal(Signal::TERM);
}

/// The memory file of a process. It can be read when the process is gone.
#[derive(Debug)]
struct SharedFile(File);

impl SharedFile {
    /// Finds it among what the process has open. There is none before it has booted, and none without /proc.
    fn of(pid: u32) -> Option<Self> {
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
        let path = descriptors
            .flatten()
            .map(|descriptor| descriptor.path())
            .find(|path| fs::read_link(path).is_ok_and(|target| target.as_os_str() == FILE))?;
        OpenOptions::new().read(true).write(true).open(path).ok().map(Self)
    }

    /// Says what the next signal is meant for.
    fn write(&self, place: u64, number: u64) -> io::Result<()> {
        self.0.write_all_at(&number.to_le_bytes(), place)
    }

    /// What the process has dumped.
    fn stacks(mut self) -> Stacks {
        let mut text = Vec::new();
        let read = self.0.seek(SeekFrom::Start(DUMP_AT)).and_then(|_| self.0.take(LONGEST).read_to_end(&mut text));
        match read {
            Ok(length) if length > 0 => Stacks::Dumped(String::from_utf8_lossy(&text).trim_end().to_owned()),
            _ => Stacks::None,
        }
    }
}
