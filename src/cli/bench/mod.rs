//! `portpool bench`: measures a function with growing numbers of callers and workers. Exit status: that of `portpool
//! call`.
//!
//! - `plan`: the steps; `load`: makes and measures the calls of a step; `processor_time`: the CPU time of workers
//! - `row`: the result of a step; `report`: all results, also as JSON; `table`: the report for people; `hint`: the
//!   recommended pool size

mod hint;
mod load;
mod plan;
mod processor_time;
mod report;
mod row;
mod table;

use std::sync::Arc;
use std::time::Duration;

use super::complaint::{FAILED, INTERRUPTED, NO_POOL, OK, USAGE, complain};
use super::duration;
use super::function::Function;
use super::output::print_line;
use super::session::Session;
use crate::cgroup::Group;
use crate::config::processors;
use crate::shutdown;
use load::Load;
use plan::plan;
use report::Report;

/// The total duration of all steps, unless the duration of each is given.
const ALL: Duration = Duration::from_secs(10);

/// The arguments of `portpool bench`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    function: Function,
    /// Pool size to measure with up to four callers per worker, 1 to 256; pools of up to twice the size are tried too [default: number of
    /// processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    size: Option<u16>,
    /// Time to measure each step, such as 500ms or 2s [default: 10s for all steps together]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    time: Option<Duration>,
    /// Print one JSON document, with times in microseconds, instead of a table
    #[arg(long)]
    json: bool,
}

/// A day is more than enough, and less than a millisecond measures nothing.
fn parse_time(text: &str) -> Result<Duration, String> {
    let time = duration::parse(text)?;
    if (Duration::from_millis(1)..=Duration::from_secs(86_400)).contains(&time) {
        Ok(time)
    } else {
        Err("expected a time from 1ms to 24h".to_owned())
    }
}

/// Runs the command; returns the exit status. If a signal ends it, it still prints what has been measured.
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
        // If nobody reads it, the status stays the same.
        let _ = print_line(&text)?;
    }
    shutdown::leave_nothing_behind(cgroup.as_deref(), true).await;
    status
}

async fn measure(args: &Args, report: &mut Option<Report>, cgroup: &mut Option<Arc<Group>>) -> anyhow::Result<u8> {
    let body = match args.function.body() {
        Ok(body) => body,
        Err(why) => return Ok(complain(USAGE, &why)),
    };
    let processors = processors();
    let workers = args.size.map_or_else(|| processors.min(256), usize::from);
    let steps = plan(workers, processors);
    let time = args.time.unwrap_or_else(|| ALL / u32::try_from(steps.len()).unwrap_or(u32::MAX));
    let most = steps.iter().map(|step| step.callers).max().unwrap_or(1);
    let config = args.function.config(1, most)?;
    let mut session = match Session::open(&config, cgroup).await {
        Ok(session) => session,
        Err(why) => return Ok(complain(NO_POOL, &why)),
    };
    let report = report.insert(Report::new(args.function.function.clone(), processors, time));
    if !args.json && print_line(&table::head(report))?.is_break() {
        return Ok(OK);
    }
    let mut load = Load::new(&mut session, args.function.function.clone(), body, &config);
    for step in steps {
        let row = load.step(step, time).await?;
        let is_read = args.json || print_line(&table::row(&row))?.is_continue();
        let works = row.calls > 0;
        report.rows.push(row);
        if !works || !is_read {
            // Further steps would show nothing new, or nobody is there to read them.
            break;
        }
    }
    let failed = load.failed();
    session.close().await;
    Ok(if failed { FAILED } else { OK })
}
