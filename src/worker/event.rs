//! What the pool hears of a worker.

use bytes::Bytes;

use super::process::Exit;
use super::wire::FromWorker;
use crate::call::CallId;

/// What happened to a worker.
#[derive(Debug)]
pub enum Event {
    /// It said hello.
    Started(Started),
    /// It answered its call.
    Replied(Reply),
    /// It is dead and reaped, or could not be started. The last event.
    Ended(Ended),
}

/// A worker's hello.
#[derive(Debug)]
pub struct Started {
    /// Its operating system pid.
    pub pid: u32,
}

/// An answer to a call: docs/worker_protocol.md 4.
#[derive(Debug)]
pub struct Reply {
    /// Which call.
    pub call: CallId,
    /// What kind of answer.
    pub kind: FromWorker,
    /// A pickle.
    pub body: Bytes,
}

/// How a worker ended.
#[derive(Debug, Default)]
pub struct Ended {
    /// Its operating system pid, if there was a process.
    pub pid: Option<u32>,
    /// Its exit status or signal.
    pub exit: Option<Exit>,
    /// The call that it had taken and not answered.
    pub call: Option<CallId>,
    /// It is certain that it had not begun with that call.
    pub undelivered: bool,
    /// The last lines of its stderr.
    pub stderr: Vec<String>,
    /// Why there never was a process, or how it broke the protocol.
    pub trouble: Option<String>,
}
