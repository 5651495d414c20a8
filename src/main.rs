//! The program: reads the command line and runs what it asks for.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use portpool::cgroup::Home;
use portpool::cli::{Cli, Command};
use portpool::{cli, config, server, telemetry, watch};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Exit status where the operating system stands in the way: stdout cannot be written, say.
const FAILED: u8 = 1;

/// How long a helper thread stays without work. With it goes what the allocator has kept of large values for the next.
const HELPERS_STAY: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    telemetry::exit_on_panic();
    match run(Cli::parse()) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            // stderr may be closed; there is nobody to tell then.
            let _ = writeln!(io::stderr(), "portpool: {error:#}");
            ExitCode::from(FAILED)
        }
    }
}

fn run(Cli { log, command }: Cli) -> anyhow::Result<u8> {
    match command {
        Command::Watch { pid, cgroup } => Ok(watch::run(pid, &Home::from(cgroup.as_str())).map(|()| 0)?),
        Command::Term(args) => cli::term::run(&args),
        Command::Serve => {
            telemetry::log_for_server(log);
            with_runtime(server::serve())
        }
        Command::Call(args) => {
            telemetry::log_for_people(log);
            with_runtime(cli::call::run(*args))
        }
        Command::Bench(args) => {
            telemetry::log_for_people(log);
            with_runtime(cli::bench::run(*args))
        }
    }
}

fn with_runtime(work: impl Future<Output = anyhow::Result<u8>> + Send + 'static) -> anyhow::Result<u8> {
    // One thread: it also is the one that workers are bound to, which must not end before the server does.
    // Helper threads do nothing but transcode large values, so more of them than processors would be of no use.
    let helpers = config::processors();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(helpers)
        .thread_keep_alive(HELPERS_STAY)
        .build()?;
    // As a task: whoever wakes the future that a runtime blocks on writes to a descriptor each time.
    let status = runtime.block_on(async { tokio::spawn(work).await? });
    // A helper thread that still works would be waited for; nothing that it does matters any more.
    runtime.shutdown_background();
    status
}
