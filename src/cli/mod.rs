//! The command line.

//!
//! - `call`, `bench` and `term` are its commands
//! - `function`: what the first two have in common; `session`: the pool that they use
//! - `complaint`: what is said on stderr; `times`: how long calls took

pub mod bench;
pub mod call;
mod complaint;
mod function;
mod session;
pub mod term;
mod times;

use clap::{Parser, Subcommand};

use crate::telemetry::LogLevel;

/// Runs Python functions in a pool of worker processes.
#[derive(Debug, Parser)]
#[command(name = "portpool", version, arg_required_else_help = true)]
pub struct Cli {
    /// How much is said on stderr
    #[arg(long, value_enum, default_value = "info", global = true, value_name = "LEVEL")]
    pub log: LogLevel,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve an Erlang or Elixir program that started this one as a port (docs/protocol.md)
    Serve,
    /// Kill a server that does not end by itself, for the program that started both (docs/protocol.md 13)
    #[command(hide = true)]
    Watch {
        /// The server's operating system pid
        pid: i32,
        /// The server's option `cgroup`: auto, none or a path
        #[arg(long, default_value = "auto", value_name = "WHERE")]
        cgroup: String,
    },
    /// Run one function and print its result as JSON
    Call(Box<call::Args>),
    /// Measure one function: calls a second, waiting and running times, memory, for growing numbers of callers and workers
    Bench(Box<bench::Args>),
    /// Show an external term, the bytes of term_to_binary/1, as Erlang or Elixir text
    Term(term::Args),
}
