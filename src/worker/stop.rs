//! Stops a call: an interrupt that hits no other call, and a kill that reports where Python was. Both use a memory file
//! that the server shares with the process. docs/worker_protocol.md 6. Twin of `priv/python/portpool/_stop.py`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::time::Duration;

use rustix::process::Signal;
use tokio::time::{Instant, timeout_at};

use super::event::Stacks;
use super::process::Process;
use crate::call::CallId;

/// The name of the memory file in /proc.
const FILE: &str = "/memfd:portpool (deleted)";
/// Makes Python write its stacks into the file and end.
const DUMP: Signal = Signal::STKFLT;
/// The offset of the number that tells the process to end. The call to interrupt precedes it.
const TERMINATE_AT: u64 = 8;
/// The offset of the pause, in milliseconds, after which a coroutine that continues is cancelled again.
const PAUSE_AT: u64 = 16;
/// The offset of the dump.
const DUMP_AT: u64 = 24;
/// The grace is this many pauses long.
const PAUSES: u32 = 10;
/// Longer dumps are cut here.
const LONGEST: u64 = 64 << 10;

/// A process with a closed channel is usually about to end; if it is not, it is killed after this time.
pub(super) const END_GRACE: Duration = Duration::from_millis(100);
/// How long a worker has to report where Python is before it is killed: its caller waits for the reply. On a busy
/// machine it has more.
pub(super) const DUMP_LIMIT: Duration = Duration::from_millis(20);
/// If a timer fires this much too late, the machine is busy: our own timers are exact to a millisecond or two.
const LATE: Duration = Duration::from_millis(3);
/// The maximum multiple of the limit that a process gets while timers are late.
const MOST: u32 = 4;

/// Asks Python where it is, and kills it. A process that takes the signal ends when it has written everything.
/// docs/worker_protocol.md 6.3
pub(super) async fn dump_and_kill(process: &Process, limit: Duration) -> Stacks {
    let was_stopped = process.is_stopped();
    let file = SharedFile::of(process.pid());
    if file.is_some() && !was_stopped {
        process.signal(DUMP);
        // It may be unable to answer, for instance in an uninterruptible system call.
        ends_within(process, limit).await;
    }
    process.kill();
    if was_stopped { Stacks::WasStopped } else { file.map_or(Stacks::None, SharedFile::stacks) }
}

/// Waits until a process has ended, within the limit. If it is runnable, it writes or still waits for a processor, and
/// if our own timer was late, it had to wait for one as well: then it gets the limit again.
async fn ends_within(process: &Process, limit: Duration) {
    let longest = Instant::now() + limit * MOST;
    let mut until = Instant::now() + limit;
    while timeout_at(until, process.ended()).await.is_err() {
        let now = Instant::now();
        let was_on_time = now.duration_since(until) < LATE;
        if now >= longest || was_on_time && !process.is_runnable() {
            return;
        }
        until = (now + limit).min(longest);
    }
}

/// Raises KeyboardInterrupt in this call, if it still runs. Its reply may be on the way, so the process is told first
/// which call is meant. docs/worker_protocol.md 6.2
pub(super) fn interrupt(process: &Process, call: CallId, grace: Duration) {
    let pause = u64::try_from((grace / PAUSES).as_millis()).unwrap_or(u64::MAX).max(1);
    let tell = |file: SharedFile| file.write(PAUSE_AT, pause).and_then(|()| file.write(0, call.0));
    if SharedFile::of(process.pid()).is_some_and(|file| tell(file).is_ok()) {
        process.signal(Signal::INT);
    }
}

/// Ends the process by SIGTERM, which a worker ignores unless it is told that the server sent it.
/// docs/worker_protocol.md 6.4
pub(super) fn terminate(process: &Process) {
    // A process that has no file, or has closed it, is killed when its time is over.
    let _ = SharedFile::of(process.pid()).map(|file| file.write(TERMINATE_AT, 1));
    process.signal(Signal::TERM);
}

/// The memory file of a process, which can still be read when the process is gone.
#[derive(Debug)]
struct SharedFile(File);

impl SharedFile {
    /// Finds it among the open files of the process. There is none before the process has booted, and none without
    /// /proc.
    fn of(pid: u32) -> Option<Self> {
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
        let path = descriptors
            .flatten()
            .map(|descriptor| descriptor.path())
            .find(|path| fs::read_link(path).is_ok_and(|target| target.as_os_str() == FILE))?;
        OpenOptions::new().read(true).write(true).open(path).ok().map(Self)
    }

    /// Writes what the next signal is meant for.
    fn write(&self, place: u64, number: u64) -> io::Result<()> {
        self.0.write_all_at(&number.to_le_bytes(), place)
    }

    /// The stacks that the process has written.
    fn stacks(mut self) -> Stacks {
        let mut text = Vec::new();
        let read = self.0.seek(SeekFrom::Start(DUMP_AT)).and_then(|_| self.0.take(LONGEST).read_to_end(&mut text));
        match read {
            Ok(length) if length > 0 => Stacks::Dumped(String::from_utf8_lossy(&text).trim_end().to_owned()),
            _ => Stacks::None,
        }
    }
}
