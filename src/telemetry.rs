//! What the server has to say beside its replies: lines on stderr. stdout is the wire.

use std::io::{IsTerminal, Write};

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;

/// The status of a server that had a defect: docs/protocol.md 12.
const DEFECT: i32 = 70;

/// How much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// What broke.
    Error,
    /// What is not as it should be.
    Warn,
    /// Also what Python prints.
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

/// Lines with a time stamp, for a server that runs for weeks.
pub fn log_for_server(level: LogLevel) {
    lines(level).init();
}

/// Lines without, for a command that runs in front of somebody.
pub fn log_for_people(level: LogLevel) {
    lines(level).without_time().init();
}

fn lines(
    level: LogLevel,
) -> tracing_subscriber::fmt::SubscriberBuilder<
    tracing_subscriber::fmt::format::DefaultFields,
    tracing_subscriber::fmt::format::Format,
    LevelFilter,
    fn() -> std::io::Stderr,
> {
    tracing_subscriber::fmt()
        .with_max_level(LevelFilter::from(level))
        .with_writer(std::io::stderr as fn() -> std::io::Stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .log_internal_errors(false)
}

/// A panic in any task ends the process: never a silent half-death. The kernel then kills the workers.
pub fn exit_on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        // stderr may be closed; there is nobody left to tell then.
        let _ = writeln!(std::io::stderr(), "portpool: a defect, please report it: {panic}");
        std::process::exit(DEFECT);
    }));
}
