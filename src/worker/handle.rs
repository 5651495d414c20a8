//! The pool's hold on a worker: what it may ask of it.

use std::sync::{Arc, OnceLock};

use tokio::sync::mpsc;

use super::inbox::Inbox;
use super::line::InCall;
use super::log::ToRead;
use super::memory;
use super::process::Process;
use super::stop;
use crate::call::{Body, CallId, Mfa};

/// What the worker's task is asked to do.
#[derive(Debug)]
pub(super) enum Command {
    /// Write the rest of what goes to it.
    Write,
    TimeOut,
    Retire,
    Kill,
    /// Log what it has printed.
    Flush(ToRead),
}

/// The pool's hold on a worker. The worker is killed when this is dropped.
#[derive(Debug)]
pub struct Handle {
    commands: mpsc::UnboundedSender<Command>,
    birth: Arc<OnceLock<Born>>,
}

/// What there is once it has a process.
#[derive(Debug)]
pub(super) struct Born {
    pub(super) process: Arc<Process>,
    pub(super) inbox: Inbox,
}

impl Handle {
    pub(super) fn new(commands: mpsc::UnboundedSender<Command>, birth: Arc<OnceLock<Born>>) -> Self {
        Self { commands, birth }
    }

    /// Hands it a call, and its name for the log. It must be idle.
    pub fn call(&self, call: CallId, mfa: Mfa, body: Body) {
        // For a worker that has just ended it is too late; its `Ended` is on the way and does not name this call.
        self.write(|inbox| inbox.call(InCall { id: call, mfa }, body));
    }

    /// Asks whether it is alive: `Pong` is the answer. One that is not idle is not asked, and does not answer.
    pub fn ping(&self) {
        self.write(|inbox| inbox.ping());
    }

    /// Raises KeyboardInterrupt in this call, if the worker has it in hand, and in no other.
    pub fn interrupt(&self, call: CallId) {
        if let Some(born) = self.birth.get() {
            stop::interrupt(&born.process, call);
        }
    }

    /// Asks where Python is, for at most 20 ms, and kills the process group: `Stopped` says when that is done. If the worker has
    /// ended before it could be asked there is only `Ended`, which is on the way.
    pub fn time_out(&self) {
        self.command(Command::TimeOut);
    }

    /// Asks it to end by closing its channel. It must be idle.
    pub fn retire(&self) {
        self.command(Command::Retire);
    }

    /// Ends it by SIGTERM: for one that was retired and does not end.
    pub fn terminate(&self) {
        if let Some(born) = self.birth.get() {
            stop::terminate(&born.process);
        }
    }

    /// Has all logged that it has printed until now, and then lets go of this.
    pub fn flush(&self, to_read: ToRead) {
        self.command(Command::Flush(to_read));
    }

    /// Kills its process group now.
    pub fn kill(&self) {
        match self.birth.get() {
            Some(born) => born.process.kill(),
            None => self.command(Command::Kill),
        }
    }

    /// Its operating system pid, once there is a process.
    pub fn pid(&self) -> Option<u32> {
        self.birth.get().map(|born| born.process.pid())
    }

    /// Its resident memory in bytes, while there is a process.
    pub fn memory(&self) -> Option<u64> {
        self.pid().and_then(memory::resident)
    }

    /// Puts something into its inbox. What could not be written at once is left to its task.
    fn write(&self, put: impl FnOnce(&Inbox) -> bool) {
        if self.birth.get().is_some_and(|born| !put(&born.inbox)) {
            self.command(Command::Write);
        }
    }

    fn command(&self, command: Command) {
        let _ = self.commands.send(command);
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.kill();
    }
}
