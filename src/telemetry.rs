//! Logging: lines on stderr that never block the server. stdout carries the protocol.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use clap::ValueEnum;
use rustix::fs::{Mode, OFlags};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::relay::Relay;

/// Exit status after a panic: docs/protocol.md 12.
const DEFECT: i32 = 70;

/// Log verbosity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// Errors.
    Error,
    /// Also warnings.
    Warn,
    /// Also what Python prints and logs.
    Info,
    /// Also what the pool does.
    Debug,
}

impl From<LogLevel> for LevelFilter {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Off => Self::OFF,
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
        }
    }
}

/// Logs with time stamps, for a server that runs for weeks. If nobody reads stderr, lines are dropped and counted. The
/// relay passes warnings on.
pub fn log_for_server(level: LogLevel) -> Relay {
    let relay = Relay::default();
    lines(level).with_writer(Patient::open()).finish().with(relay.clone()).init();
    relay
}

/// Logs without time stamps, for a command in a terminal.
pub fn log_for_people(level: LogLevel) {
    lines(level).without_time().with_writer(io::stderr).init();
}

fn lines(
    level: LogLevel,
) -> tracing_subscriber::fmt::SubscriberBuilder<
    tracing_subscriber::fmt::format::DefaultFields,
    tracing_subscriber::fmt::format::Format,
    LevelFilter,
> {
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::from(level))
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .log_internal_errors(false)
}

/// stderr that never blocks: a line that does not fit is dropped. A blocked line would stop every call and every
/// timeout.
#[derive(Debug)]
struct Patient {
    stderr: Option<File>,
    dropped: AtomicU64,
}

impl Patient {
    /// Reopens stderr where possible (pipes, terminals): being non-blocking is a property of the open file, which other
    /// processes share. Files never block. A socket is used as it is.
    fn open() -> Self {
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let anew = || rustix::fs::open("/proc/self/fd/2", flags, Mode::empty()).ok();
        let same = || io::stderr().as_fd().try_clone_to_owned().ok();
        let stderr: Option<OwnedFd> = anew().or_else(same);
        Self { stderr: stderr.map(File::from), dropped: AtomicU64::new(0) }
    }

    /// Writes a line, preceded by the number of lines dropped since the last one.
    fn line(&self, mut stderr: &File, line: &[u8]) -> io::Result<()> {
        let dropped = self.dropped.load(Ordering::Relaxed);
        if dropped > 0 {
            stderr
                .write_all(format!("portpool: {dropped} lines were dropped because nobody read them\n").as_bytes())?;
            self.dropped.store(0, Ordering::Relaxed);
        }
        stderr.write_all(line)
    }
}

impl<'a> MakeWriter<'a> for Patient {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

impl Write for &Patient {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Some(stderr) = &self.stderr
            && self.line(stderr, line).is_err()
        {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Makes a panic in any task end the process, so that it never half-works in silence. The kernel then kills the
/// workers.
pub fn exit_on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        // If stderr is closed, there is nobody to tell.
        let _ = writeln!(io::stderr(), "portpool: a defect, please report it: {panic}");
        std::process::exit(DEFECT);
    }));
}
