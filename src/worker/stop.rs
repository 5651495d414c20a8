//! What a worker's process and the server share in memory: which call is to be interrupted, and where Python was when it was
//! killed. docs/worker_protocol.md 6. Twin of `priv/python/portpool/_stop.py`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;

use rustix::process::Signal;

use super::event::Stacks;
use crate::call::CallId;

/// The name of the memory file, as /proc shows it.
const FILE: &str = "/memfd:portpool (deleted)";
/// Has Python write its stacks into the file and end.
pub(super) const DUMP: Signal = Signal::STKFLT;
/// Where the dump begins: before it stands the number of the call that is to be interrupted.
const DUMP_AT: u64 = 8;
/// A longer dump is cut here.
const LONGEST: u64 = 64 << 10;

/// The memory file of a process. It can be read when the process is gone.
#[derive(Debug)]
pub(super) struct SharedFile(File);

impl SharedFile {
    /// Finds it among what the process has open. There is none before it has booted, and none without /proc.
    pub(super) fn of(pid: u32) -> Option<Self> {
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
        let path = descriptors
            .flatten()
            .map(|descriptor| descriptor.path())
            .find(|path| fs::read_link(path).is_ok_and(|target| target.as_os_str() == FILE))?;
        OpenOptions::new().read(true).write(true).open(path).ok().map(Self)
    }

    /// Says which call the next SIGINT is meant for.
    pub(super) fn name(&self, call: CallId) -> io::Result<()> {
        self.0.write_all_at(&call.0.to_le_bytes(), 0)
    }

    /// What the process has dumped.
    pub(super) fn stacks(mut self) -> Stacks {
        let mut text = Vec::new();
        let read = self.0.seek(SeekFrom::Start(DUMP_AT)).and_then(|_| self.0.take(LONGEST).read_to_end(&mut text));
        match read {
            Ok(length) if length > 0 => Stacks::Dumped(String::from_utf8_lossy(&text).trim_end().to_owned()),
            _ => Stacks::None,
        }
    }
}
