//! `portpool call`: one function, on a pool of its own. Exit status: 0 success, 1 a call failed, 2 wrong usage, 3 the pool cannot start.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::complaint::{FAILED, INTERRUPTED, NO_POOL, OK, USAGE, complain, describe, say};
use super::function::Function;
use super::output::{print, print_line};
use super::session::Session;
use super::times::{Quantiles, Times};
use crate::call::{Body, Call, Form, Limits, OnCancel, Policy, Target};
use crate::cgroup::Group;
use crate::codec;
use crate::config::{Config, processors};
use crate::dispatcher::{Answer, Request};
use crate::shutdown;

/// The arguments of `portpool call`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    function: Function,
    /// Number of workers, 1 to 1024 [default: --concurrency, but at most the number of processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    size: Option<u16>,
    /// Number of times to make the call; with more than one, a summary goes to stderr
    #[arg(short = 'n', long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    number: u32,
    /// Number of calls in flight at once
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    concurrency: u32,
    /// Output format: json, or raw for bytes and strings as they are
    ///
    /// With raw, bytes go to stdout with nothing added, a string as a line without quotes or escapes, and everything else as JSON.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Output::Json, hide_possible_values = true)]
    output: Output,
}

/// The output format of results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// One line of JSON each.
    Json,
    /// Bytes with nothing added; strings as a line, without quotes or escapes; everything else as JSON.
    Raw,
}

/// Runs the command; returns the exit status.
pub async fn run(args: Args) -> anyhow::Result<u8> {
    let mut stop = shutdown::Requests::listen()?;
    let mut cgroup = None;
    let status = tokio::select! {
        status = call(&args, &mut cgroup) => status,
        () = stop.requested() => Ok(INTERRUPTED),
    };
    shutdown::leave_nothing_behind(cgroup.as_deref(), true).await;
    status
}

async fn call(args: &Args, cgroup: &mut Option<Arc<Group>>) -> anyhow::Result<u8> {
    let body = match args.function.body() {
        Ok(body) => body,
        Err(why) => return Ok(complain(USAGE, &why)),
    };
    let concurrency = args.concurrency as usize;
    let size = args.size.map_or_else(|| processors().min(concurrency), usize::from);
    let config = args.function.config(size, concurrency)?;
    let mut session = match Session::open(&config, cgroup).await {
        Ok(session) => session,
        Err(why) => return Ok(complain(NO_POOL, &why)),
    };
    let status = Run::new(args, body, &config).drive(&mut session).await;
    session.close().await;
    status
}

/// The calls of one command: how many are left to make, and how long each took.
struct Run<'a> {
    args: &'a Args,
    body: Body,
    limits: Limits,
    form: Form,
    begun: VecDeque<(u64, Instant)>,
    made: u32,
    failed: u32,
    took: Times,
}

impl<'a> Run<'a> {
    fn new(args: &'a Args, body: Body, config: &Config) -> Self {
        let form = Form { none: config.values.none, max_frame: config.max_frame };
        let limits = config.limits;
        Self { args, body, limits, form, begun: VecDeque::new(), made: 0, failed: 0, took: Times::default() }
    }

    async fn drive(mut self, session: &mut Session) -> anyhow::Result<u8> {
        let start = Instant::now();
        while self.made < self.args.number.min(self.args.concurrency) {
            self.make(session).await?;
        }
        while !self.begun.is_empty() {
            let (id, answer) = session.answer().await?;
            self.took(id);
            if self.made < self.args.number {
                self.make(session).await?;
            }
            if self.show(answer)?.is_break() {
                return Ok(self.status());
            }
        }
        let status = self.status();
        if self.args.number > 1 {
            self.summarise(start.elapsed());
        }
        Ok(status)
    }

    fn status(&self) -> u8 {
        if self.failed == 0 { OK } else { FAILED }
    }

    async fn make(&mut self, session: &Session) -> anyhow::Result<()> {
        let id = u64::from(self.made);
        self.made += 1;
        let arrived = Instant::now();
        self.begun.push_back((id, arrived));
        let (mfa, body) = (self.args.function.function.clone(), self.body.clone());
        let policy = Policy { on_cancel: OnCancel::Kill, retry: 0, meta: false };
        let call = Call {
            mfa,
            body,
            limits: self.limits,
            target: Target::Any,
            policy,
            form: self.form,
            fingerprint: None,
            arrived,
        };
        session.ask(Request::Call(id, Box::new(call))).await
    }

    fn took(&mut self, id: u64) {
        if let Some(position) = self.begun.iter().position(|(begun, _)| *begun == id)
            && let Some((_, begun)) = self.begun.remove(position)
        {
            self.took.push(begun.elapsed());
        }
    }

    /// Prints a result, or why there is none. `Break` means that nobody reads stdout any more.
    fn show(&mut self, answer: Answer) -> anyhow::Result<ControlFlow<()>> {
        let shown = match answer {
            Answer::Value(value) => return self.print(&value.pickle),
            Answer::Failure(failure) => describe(&failure),
            // Only calls are made here.
            _ => return Ok(ControlFlow::Continue(())),
        };
        self.fail(&shown)
    }

    fn print(&mut self, pickle: &[u8]) -> anyhow::Result<ControlFlow<()>> {
        let is_raw = self.args.output == Output::Raw;
        let document = match codec::read(pickle) {
            Ok(document) => document,
            Err(error) => return self.fail(&format!("the result cannot be read: {error}")),
        };
        if let (true, Some(bytes)) = (is_raw, document.as_bytes()) {
            return print(bytes);
        }
        match document.to_json() {
            Ok(Value::String(text)) if is_raw => print_line(&text),
            Ok(value) => print_line(&value.to_string()),
            Err(error) => self.fail(&format!("the result cannot be printed as JSON: {error}")),
        }
    }

    fn fail(&mut self, why: &str) -> anyhow::Result<ControlFlow<()>> {
        self.failed += 1;
        say(why);
        Ok(ControlFlow::Continue(()))
    }

    fn summarise(self, elapsed: Duration) {
        let Self { made, failed, took, .. } = self;
        let a_second = f64::from(made) / elapsed.as_secs_f64();
        let (p50, p99) = took.quantiles().map_or_else(Default::default, |Quantiles { p50, p99, .. }| (p50, p99));
        say(&format!("{made} calls, {failed} failed, {a_second:.0} calls/s, p50 {p50:.1?}, p99 {p99:.1?}"));
    }
}
