//! Reads what a worker's process prints: complete lines go to the log, and the last ones of stderr are kept for the
//! error of a crash.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use tokio::net::unix::pipe;

use super::inbox::Inbox;
use super::last_lines::LastLines;
use super::line::{Level, Words, Writers};
use super::log::Log;
use crate::call::WorkerId;

/// Longer lines are cut here.
const LINE: usize = 8 << 10;
/// The maximum number of lines per second and pipe; further lines are read, dropped and counted.
const LINES_A_SECOND: u32 = 200;

/// One of the two log pipes.
#[derive(Debug)]
pub(super) struct LogPipe {
    pipe: Option<pipe::Receiver>,
    stream: &'static str,
    worker: WorkerId,
    log: Log,
    buffer: BytesMut,
    /// Whether the line was longer than `LINE`, so that its rest is skipped.
    skipping: bool,
    rate: Rate,
    /// The last lines, if they are wanted.
    tail: Option<LastLines>,
}

impl LogPipe {
    /// A pipe that is only logged.
    pub(super) fn stdout(pipe: Option<OwnedFd>, worker: WorkerId, log: &Log) -> io::Result<Self> {
        Self::new(pipe, "stdout", worker, log, None)
    }

    /// A pipe whose last lines are also kept.
    pub(super) fn stderr(pipe: Option<OwnedFd>, worker: WorkerId, log: &Log) -> io::Result<Self> {
        Self::new(pipe, "stderr", worker, log, Some(LastLines::default()))
    }

    fn new(
        pipe: Option<OwnedFd>,
        stream: &'static str,
        worker: WorkerId,
        log: &Log,
        tail: Option<LastLines>,
    ) -> io::Result<Self> {
        let pipe = pipe.map(pipe::Receiver::from_owned_fd).transpose()?;
        let rate = Rate::begin();
        let log = log.clone();
        Ok(Self { pipe, stream, worker, log, buffer: BytesMut::new(), skipping: false, rate, tail })
    }

    /// Waits for output and logs its lines; waits forever once the pipe is closed.
    ///
    /// Cancellation: what was read is in `self`, so the future may be dropped at any await.
    pub(super) async fn pump(&mut self, inbox: Option<&Inbox>) {
        let Some(pipe) = &self.pipe else { return std::future::pending().await };
        tokio::select! {
            readable = pipe.readable() => {
                let writers = || writers(inbox);
                if readable.is_err() || matches!(self.read(&writers), Read::End) {
                    self.pipe = None;
                }
            }
            () = async { tokio::time::sleep_until(self.rate.next_second().into()).await }, if self.rate.dropped > 0 => {
                self.report();
            }
        }
    }

    /// Logs everything written before this moment, even if the runtime does not know of it yet, and how many lines of it
    /// were dropped.
    pub(super) fn flush(&mut self, inbox: Option<&Inbox>) {
        self.read_all(inbox);
        self.say_dropped();
    }

    fn read_all(&mut self, inbox: Option<&Inbox>) {
        let writers = writers(inbox);
        let mut piece = [0; 2 * LINE];
        // Somebody may keep writing, so this is limited, to more than a pipe holds.
        for _ in 0..16 {
            let Some(pipe) = &self.pipe else { return };
            match rustix::io::read(pipe, &mut piece) {
                Ok(size) if size > 0 => self.buffer.extend_from_slice(piece.get(..size).unwrap_or_default()),
                _ => return,
            }
            self.lines(&writers);
        }
    }

    /// Logs what is in the pipe now, as far as the runtime knows. Somebody may keep writing, so this is limited.
    pub(super) fn drain(&mut self, writers: &impl Fn() -> Writers) {
        for _ in 0..16 {
            if !matches!(self.read(writers), Read::Some) {
                break;
            }
        }
    }

    /// Reads what a worker that has ended left in the pipe and returns the last lines.
    pub(super) fn finish(mut self, writers: &Writers) -> Vec<String> {
        self.drain(&|| writers.clone());
        let rest = self.buffer.split();
        self.line(&rest, writers);
        self.report();
        self.tail.map(Vec::from).unwrap_or_default()
    }

    fn read(&mut self, writers: &impl Fn() -> Writers) -> Read {
        let Some(pipe) = &self.pipe else { return Read::End };
        self.buffer.reserve(2 * LINE);
        match pipe.try_read_buf(&mut self.buffer) {
            Ok(0) => Read::End,
            Ok(_) => {
                self.lines(&writers());
                Read::Some
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Read::NothingYet,
            Err(_) => Read::End,
        }
    }

    fn lines(&mut self, writers: &Writers) {
        while let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
            let line = self.buffer.split_to(end);
            self.buffer.advance(1);
            self.line(&line, writers);
            self.skipping = false;
        }
        if self.buffer.len() >= LINE {
            let line = self.buffer.split();
            self.line(&line, writers);
            self.skipping = true;
        }
    }

    fn line(&mut self, bytes: &[u8], writers: &Writers) {
        if self.skipping || bytes.is_empty() {
            return;
        }
        if self.rate.next_second() <= Instant::now() {
            self.report();
        }
        let is_logged = self.rate.allows();
        // Most lines of a flood reach nobody.
        if !is_logged && self.tail.is_none() {
            return;
        }
        let words = Words::read(bytes.get(..LINE).unwrap_or(bytes));
        self.keep(&words);
        if is_logged {
            let call = writers.of(&words);
            self.log.line(self.worker, call, self.stream, words);
        }
    }

    fn keep(&mut self, words: &Words) {
        let Some(tail) = &mut self.tail else { return };
        words.to_string().lines().for_each(|line| tail.keep(line));
    }

    /// Reports what was dropped in the past second and begins the next one.
    fn report(&mut self) {
        self.say_dropped();
        self.rate = Rate::begin();
    }

    fn say_dropped(&mut self) {
        let dropped = std::mem::take(&mut self.rate.dropped);
        if dropped > 0 {
            let text = format!("{dropped} lines were dropped: more than {LINES_A_SECOND} a second");
            self.log.line(self.worker, None, self.stream, Words::own(Level::Info, text));
        }
    }
}

fn writers(inbox: Option<&Inbox>) -> Writers {
    inbox.map(|inbox| inbox.writers(None)).unwrap_or_default()
}

/// The result of one read.
enum Read {
    Some,
    NothingYet,
    End,
}

/// Counts the lines of a second.
#[derive(Debug)]
struct Rate {
    second: Instant,
    lines: u32,
    dropped: u64,
}

impl Rate {
    fn begin() -> Self {
        Self { second: Instant::now(), lines: 0, dropped: 0 }
    }

    fn next_second(&self) -> Instant {
        self.second + Duration::from_secs(1)
    }

    fn allows(&mut self) -> bool {
        self.lines += 1;
        if self.lines > LINES_A_SECOND {
            self.dropped += 1;
        }
        self.lines <= LINES_A_SECOND
    }
}
