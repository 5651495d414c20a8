//! `portpool bench`: how a function does with growing numbers of callers and workers. Exit status: that of `portpool call`.
//!
//! - `plan`: the steps; `load`: makes the calls of a step and measures them; `processor_time`: what the kernel tells of that
//! - `row`: what a step has shown; `report`: all of it, as JSON; `table`: the same for people; `hint`: the size of the pool that it speaks for

mod hint;
mod load;
mod plan;
mod processor_time;
mod report;
mod row;
mod table;

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use super::complaint::{FAILED, INTERRUPTED, NO_POOL, OK, USAGE, complain};
use super::function::Function;
use super::session::Session;
use crate::cgroup::Group;
use crate::config::processors;
use crate::shutdown;
use load::Load;
use plan::plan;
use report::Report;

/// How long all steps take together, unless it is said how long each is to take.
const ALL: Duration = Duration::from_secs(10);

/// The arguments of `portpool bench`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    function: Function,
    /// Workers that up to four times as many callers use; pools of up to twice the size are tried too [default: processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: Option<u16>,
    /// How long each step is measured, in seconds [default: such that all of them take ten]
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    seconds: Option<Duration>,
    /// Print one JSON document, times in microseconds
    #[arg(long)]
    json: bool,
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "it must be a number of seconds, as in 0.5".to_owned())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if (Duration::from_millis(1)..=Duration::from_secs(86_400)).contains(&time) => Ok(time),
        _ => Err("it must be from 0.001 to 86400 seconds".to_owned()),
    }
}

/// Runs the command; the exit status. What has been measured is also shown when a signal ends it.
pub async fn run(args: Args) -> anyhow::Result<u8> {
    let mut stop = shutdown::Requests::listen()?;
    let (mut report, mut cgroup) = (None, None);
    let status = tokio::select! {
        status = measure(&args, &mut report, &mut cgroup) => status,
        () = stop.requested() => Ok(INTERRUPTED),
    };
    if let Some(report) = report {
        let interrupted = matches!(status, Ok(INTERRUPTED));
        let text = if args.json { report.to_json(interrupted).to_string() } else { table::end(&report) };
        write(&text)?;
    }
    shutdown::leave_nothing_behind(cgroup.as_deref()).await;
    status
}

async fn measure(args: &Args, report: &mut Option<Report>, cgroup: &mut Option<Arc<Group>>) -> anyhow::Result<u8> {
    let body = match args.function.body() {
        Ok(body) => body,
        Err(error) => return complain(USAGE, &error.to_string()),
    };
    let processors = processors();
    let workers = args.workers.map_or_else(|| processors.min(256), usize::from);
    let steps = plan(workers, processors);
    let time = args.seconds.unwrap_or_else(|| ALL / u32::try_from(steps.len()).unwrap_or(u32::MAX));
    let most = steps.iter().map(|step| step.callers).max().unwrap_or(1);
    let config = args.function.config(1, most)?;
    let mut session = match Session::open(&config, cgroup).await {
        Ok(session) => session,
        Err(why) => return complain(NO_POOL, &why),
    };
    let report = report.insert(Report::new(args.function.function.clone(), processors, time));
    if !args.json {
        write(&table::head(report))?;
    }
    let mut load = Load::new(&mut session, args.function.function.clone(), body, &config);
    for step in steps {
        let row = load.step(step, time).await?;
        if !args.json {
            write(&table::row(&row))?;
        }
        let works = row.calls > 0;
        report.rows.push(row);
        if !works {
            // More of the same would tell nothing.
            break;
        }
    }
    let failed = load.failed();
    session.close().await;
    Ok(if failed { FAILED } else { OK })
}

fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush())
}
