//! The pool's handle on a worker: what it may ask of it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::mpsc;

use super::inbox::Inbox;
use super::line::InCall;
use super::log::ToRead;
use super::memory;
use super::process::Process;
use super::stop;
use crate::call::{Body, CallId, Mfa};

/// A command to the worker's task.
#[derive(Debug)]
pub(super) enum Command {
    /// Write the rest of the inbox.
    Write,
    TimeOut,
    Retire,
    Kill,
    /// Log what it has printed.
    Flush(ToRead),
}

/// The pool's handle on a worker. Dropping it kills the worker.
#[derive(Debug)]
pub struct Handle {
    commands: mpsc::UnboundedSender<Command>,
    birth: Arc<OnceLock<Born>>,
}

/// What exists once there is a process.
#[derive(Debug)]
pub(super) struct Born {
    pub(super) process: Arc<Process>,
    pub(super) inbox: Inbox,
}

impl Handle {
    pub(super) fn new(commands: mpsc::UnboundedSender<Command>, birth: Arc<OnceLock<Born>>) -> Self {
        Self { commands, birth }
    }

    /// Hands it a call, with its name for the log: to run it now, or after those that it has. `send` sends it.
    pub fn call(&self, call: CallId, mfa: Mfa, body: Body) {
        // If it has just ended, this is too late; its `Ended` is on the way and does not name this call.
        if let Some(born) = self.birth.get() {
            born.inbox.call(InCall { id: call, mfa }, body);
        }
    }

    /// Takes back the calls behind the one that it runs, as far as it has not read them; oldest first.
    pub fn take_back(&self) -> Vec<CallId> {
        self.birth.get().map(|born| born.inbox.take_back()).unwrap_or_default()
    }

    /// Asks whether it is alive; `Pong` is the answer. A worker that is not idle is not asked and does not answer.
    pub fn ping(&self) {
        if let Some(born) = self.birth.get() {
            born.inbox.ping();
        }
        self.send();
    }

    /// Sends the calls that it was handed. Its task writes what cannot be written at once.
    pub fn send(&self) {
        if self.birth.get().is_some_and(|born| !born.inbox.flush()) {
            self.command(Command::Write);
        }
    }

    /// Raises KeyboardInterrupt in this call if the worker is running it, and in no other.
    /// A coroutine is cancelled instead, and again after each tenth of the grace if it continues.
    pub fn interrupt(&self, call: CallId, grace: Duration) {
        if let Some(born) = self.birth.get() {
            stop::interrupt(&born.process, call, grace);
        }
    }

    /// Asks where Python is, for at most 20 ms (80 ms on a busy machine), and kills the process group; `Stopped`
    /// reports it. If the worker has ended before it could be asked, there is only `Ended`, which is on the way.
    pub fn time_out(&self) {
        self.command(Command::TimeOut);
    }

    /// Asks it to end by closing its channel. It must be idle.
    pub fn retire(&self) {
        self.command(Command::Retire);
    }

    /// Ends it by SIGTERM, for a retired worker that does not end.
    pub fn terminate(&self) {
        if let Some(born) = self.birth.get() {
            stop::terminate(&born.process);
        }
    }

    /// Logs everything that it has printed so far, then drops `to_read`.
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

    fn command(&self, command: Command) {
        let _ = self.commands.send(command);
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.kill();
    }
}
