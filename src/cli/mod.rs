//! The command line.
//!
//! - `call`, `bench`, `term` and `roundtrip`: the commands
//! - `function`: what the first two share; `duration`: times as people type them; `session`: the pool of a command
//! - `usage`: errors in the command line; `excerpt`: the place of such an error
//! - `output`: stdout; `complaint`: messages on stderr; `times`: how long calls took

pub mod bench;
pub mod call;
mod complaint;
mod duration;
mod excerpt;
mod function;
mod output;
pub mod roundtrip;
mod session;
pub mod term;
mod times;
mod usage;

use clap::{Parser, Subcommand};

use crate::telemetry::LogLevel;

/// Runs Python functions in a pool of worker processes
#[derive(Debug, Parser)]
#[command(name = "portpool", version, arg_required_else_help = true)]
pub struct Cli {
    /// Log verbosity on stderr: off, error, warn, info (with what Python prints) or debug
    #[arg(
        long,
        value_enum,
        default_value = "info",
        global = true,
        value_name = "LEVEL",
        hide_possible_values = true,
        display_order = 900
    )]
    pub log_level: LogLevel,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// Reads the command line of this process. Wrong usage ends the process with status 2, `--help` with 0.
    pub fn read() -> Self {
        Self::try_parse().unwrap_or_else(|error| usage::with_new_name(error).exit())
    }
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve a pool to an Erlang or Elixir program, which starts this command as a port
    ///
    /// The program speaks to the server through stdin and stdout: docs/protocol.md.
    Serve,
    /// Kill a server that no longer responds
    ///
    /// The program that started the server starts this command next to it: docs/protocol.md 13.
    #[command(hide = true)]
    Watch {
        /// The server's operating system pid
        pid: i32,
        /// The server's option `cgroup`: auto, none or a path
        #[arg(long, default_value = "auto", value_name = "WHERE")]
        cgroup: String,
    },
    /// Call a Python function and print its result
    ///
    /// The result goes to stdout as JSON, everything else to stderr. Modules are imported from the working directory first. Exit status: 0
    /// success, 1 a call failed, 2 wrong usage, 3 the pool cannot start.
    Call(Box<call::Args>),
    /// Measure a Python function and suggest a pool size
    ///
    /// Prints calls per second, times in the queue and in a worker, and memory, for growing numbers of callers and workers. Exit status as
    /// that of call.
    Bench(Box<bench::Args>),
    /// Print an Erlang term, as term_to_binary/1 writes it, in Erlang or Elixir syntax
    ///
    /// Exit status: 0 success, 1 not a term, 2 wrong usage or an unreadable file.
    Term(term::Args),
    /// Turn a result of Python into a term, and that into an argument
    ///
    /// The Python package starts this command, for portpool.testing.
    #[command(hide = true)]
    Roundtrip,
}
