//! The program: parses the command line and runs the command.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use portpool::cgroup::Home;
use portpool::cli::{Cli, Command};
use portpool::shutdown::Blocked;
use portpool::{cli, config, server, shutdown, telemetry, watch};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Exit status for failures of the operating system, such as an unwritable stdout.
const FAILED: u8 = 1;

/// How long an idle helper thread stays. When it ends, so does the memory that the allocator kept for the next large
/// value.
const HELPERS_STAY: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    // Before anything else: a signal meant for the owner may come at any time.
    let blocked = Blocked::now();
    telemetry::exit_on_panic();
    let done = blocked.map_err(Into::into).and_then(|blocked| run(Cli::read(), blocked));
    match done {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            // If stderr is closed, there is nobody to tell.
            let _ = writeln!(io::stderr(), "portpool: {error:#}");
            ExitCode::from(FAILED)
        }
    }
}

/// Runs the command. Those that have an owner let the signals in once they have handlers, the others at once.
fn run(Cli { log_level, command }: Cli, blocked: Blocked) -> anyhow::Result<u8> {
    match command {
        Command::Watch { pid, cgroup } => with_runtime(async move {
            // The watch ends with its server: signals that ask for the end are for the owner of both.
            let _deaf = shutdown::Requests::listen()?;
            drop(blocked);
            Ok(watch::run(pid, &Home::from(cgroup.as_str())).map(|()| 0)?)
        }),
        Command::Term(args) => {
            drop(blocked);
            cli::term::run(&args)
        }
        Command::Roundtrip => {
            drop(blocked);
            cli::roundtrip::run()
        }
        Command::Serve => {
            let relay = telemetry::log_for_server(log_level);
            with_runtime(server::serve(relay, blocked))
        }
        Command::Call(args) => {
            drop(blocked);
            telemetry::log_for_people(log_level);
            with_runtime(cli::call::run(*args))
        }
        Command::Bench(args) => {
            drop(blocked);
            telemetry::log_for_people(log_level);
            with_runtime(cli::bench::run(*args))
        }
    }
}

fn with_runtime(work: impl Future<Output = anyhow::Result<u8>> + Send + 'static) -> anyhow::Result<u8> {
    // One thread runs everything. Workers are bound to it by their parent-death signal, so it must not end before the
    // server does. Helper threads only transcode large values, so there is no use for more of them than processors.
    let helpers = config::processors();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(helpers)
        .thread_keep_alive(HELPERS_STAY)
        .build()?;
    // As a task, because waking a future that the runtime itself blocks on writes to a descriptor each time.
    let status = runtime.block_on(async { tokio::spawn(work).await? });
    // Otherwise the program would wait for helper threads whose work no longer matters.
    runtime.shutdown_background();
    status
}
