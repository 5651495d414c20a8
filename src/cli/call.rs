//! `portpool call`: one function, on a pool of its own. Exit status: 0, 1 the call failed, 2 wrong usage, 3 the pool cannot start.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::builder::NonEmptyStringValueParser;
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use crate::call::{Body, Call, Failure, Form, Limits, Mfa, OnCancel, Policy, Target};
use crate::cgroup::Group;
use crate::codec;
use crate::config::{Config, Wait, processors};
use crate::dispatcher::{Answer, Dispatcher, Manners, Reply, Request};
use crate::outbox::{Outgoing, outbox};
use crate::{shutdown, startup};

const OK: u8 = 0;
const FAILED: u8 = 1;
const USAGE: u8 = 2;
const NO_POOL: u8 = 3;
/// What a shell reports for a command that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// The arguments of `portpool call`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to call, as MODULE:FUNCTION; both may be dotted
    #[arg(value_name = "MODULE:FUNCTION", value_parser = parse_mfa)]
    function: Mfa,
    /// Positional arguments: each is JSON, and what is not JSON is a string; after `--` also such that begin with a dash
    #[arg(value_name = "ARG", allow_negative_numbers = true)]
    args: Vec<String>,
    /// Arguments by keyword, as a JSON object
    #[arg(long, value_name = "JSON", value_parser = parse_kwargs, default_value = "{}")]
    kwargs: Kwargs,
    /// The interpreter: a path, or a name in PATH
    #[arg(long, default_value = "python3", value_parser = NonEmptyStringValueParser::new())]
    python: String,
    /// A directory to import from, before Python's own; may be given again. The working directory comes first
    #[arg(long, value_name = "DIR")]
    python_path: Vec<PathBuf>,
    /// Workers [default: as many as --concurrency, but not more than processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    size: Option<u16>,
    /// Longest run of a call: 500ms, 2s, 5m, or a bare number of milliseconds [default: no limit]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    timeout: Option<Duration>,
    /// Make the call this many times; with more than one a summary follows on stderr
    #[arg(short = 'n', value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    number: u32,
    /// Calls under way at once
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    concurrency: u32,
}

/// The arguments by keyword.
type Kwargs = Map<String, Value>;

fn parse_mfa(text: &str) -> Result<Mfa, String> {
    match text.split_once(':') {
        Some((module, function)) if !module.is_empty() && !function.is_empty() => {
            Ok(Mfa { module: module.into(), function: function.into() })
        }
        _ => Err("it must be MODULE:FUNCTION, as in operator:add".to_owned()),
    }
}

fn parse_kwargs(text: &str) -> Result<Kwargs, String> {
    match serde_json::from_str(text) {
        Ok(Value::Object(kwargs)) => Ok(kwargs),
        Ok(_) => Err("it must be a JSON object, as in {\"seed\": 7}".to_owned()),
        Err(error) => Err(format!("it is not JSON: {error}")),
    }
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: fn(u64) -> Option<Duration> = match text.get(digits.len()..) {
        Some("" | "ms") => |number| Some(Duration::from_millis(number)),
        Some("s") => |number| Some(Duration::from_secs(number)),
        Some("m") => |number| number.checked_mul(60).map(Duration::from_secs),
        _ => return Err("it must be a number with ms, s or m behind it".to_owned()),
    };
    let number = digits.parse().map_err(|error| format!("{digits:?} is no number: {error}"))?;
    unit(number).ok_or_else(|| "it is too long".to_owned())
}

/// Runs the command; the exit status.
pub async fn run(args: Args) -> anyhow::Result<u8> {
    let mut stop = shutdown::Requests::listen()?;
    let mut cgroup = None;
    let status = tokio::select! {
        status = call(&args, &mut cgroup) => status,
        () = stop.requested() => Ok(INTERRUPTED),
    };
    shutdown::leave_nothing_behind(cgroup.as_deref()).await;
    status
}

/// Leaves the pool's cgroup where whoever ends it finds it.
async fn call(args: &Args, cgroup: &mut Option<Arc<Group>>) -> anyhow::Result<u8> {
    let positional: Vec<Value> = args.args.iter().map(|arg| json_or_string(arg)).collect();
    let body = match codec::call_from_json(&args.function.module, &args.function.function, &positional, &args.kwargs) {
        Ok(body) => Body::from(body),
        Err(error) => return complain(USAGE, &error.to_string()),
    };
    let config = config(args)?;
    let pool = match startup::open(&config).await {
        Ok(opened) => {
            *cgroup = opened.cgroup;
            opened.pool
        }
        Err(failure) => return complain(NO_POOL, &failure.message),
    };
    let (requests, inbox) = mpsc::channel(args.concurrency as usize);
    let (replies, mut replied) = outbox();
    let manners = Manners {
        wait: config.wait,
        latest: tokio::time::Instant::now() + config.start_timeout,
        on_crash_loop: config.on_crash_loop,
        max_coming_bytes: config.max_queue_bytes,
        busy_poll: config.busy_poll,
    };
    let dispatcher = tokio::spawn(Dispatcher::new(pool, replies, manners).run(inbox));
    if let Some(Reply::Ready(status)) = replied.take().await
        && let (0, Some(failure)) = (status.counts.idle, status.last_start_error)
    {
        return fail(NO_POOL, &failure);
    }
    let status = Run::new(args, body, &config).drive(&requests, &mut replied).await;
    drop(requests);
    // It kills the workers; a panic in it has ended the process already.
    let _ = dispatcher.await;
    status
}

fn json_or_string(arg: &str) -> Value {
    serde_json::from_str(arg).unwrap_or_else(|_| Value::String(arg.to_owned()))
}

fn config(args: &Args) -> anyhow::Result<Config> {
    let here = std::env::current_dir().context("the working directory is gone")?;
    let size = args.size.map_or_else(|| processors().min(args.concurrency as usize), usize::from);
    let defaults = Config::default();
    Ok(Config {
        size: Some(size),
        limits: Limits { checkout_timeout: None, timeout: args.timeout, ..defaults.limits },
        wait: Wait::First,
        max_queue: args.concurrency as usize,
        python: args.python.clone(),
        python_path: std::iter::once(here.clone()).chain(args.python_path.iter().map(|path| here.join(path))).collect(),
        ..defaults
    })
}

/// The calls of one command: how many are still to be made, and how long each took.
struct Run<'a> {
    args: &'a Args,
    body: Body,
    limits: Limits,
    form: Form,
    begun: VecDeque<(u64, Instant)>,
    made: u32,
    failed: u32,
    took: Vec<Duration>,
}

impl<'a> Run<'a> {
    fn new(args: &'a Args, body: Body, config: &Config) -> Self {
        let form = Form { none: config.values.none, max_frame: config.max_frame };
        let limits = config.limits;
        Self { args, body, limits, form, begun: VecDeque::new(), made: 0, failed: 0, took: Vec::new() }
    }

    async fn drive(mut self, requests: &mpsc::Sender<Request>, replies: &mut Outgoing<Reply>) -> anyhow::Result<u8> {
        let start = Instant::now();
        while self.made < self.args.number.min(self.args.concurrency) {
            self.make(requests).await?;
        }
        while !self.begun.is_empty() {
            let (id, answer) = match replies.take().await.context("the dispatcher is gone")? {
                Reply::To(id, answer, _) => (id, answer),
                Reply::Ready(_) | Reply::Line(_) | Reply::Error(_) => continue,
            };
            self.took(id);
            if self.made < self.args.number {
                self.make(requests).await?;
            }
            self.show(answer)?;
        }
        if self.args.number > 1 {
            self.summarise(start.elapsed())?;
        }
        Ok(if self.failed == 0 { OK } else { FAILED })
    }

    async fn make(&mut self, requests: &mpsc::Sender<Request>) -> anyhow::Result<()> {
        let id = u64::from(self.made);
        self.made += 1;
        let arrived = Instant::now();
        self.begun.push_back((id, arrived));
        let (mfa, body) = (self.args.function.clone(), self.body.clone());
        let policy = Policy { on_cancel: OnCancel::Kill, retry: 0, meta: false };
        let call = Call { mfa, body, limits: self.limits, target: Target::Any, policy, form: self.form, arrived };
        requests.send(Request::Call(id, Box::new(call))).await.context("the dispatcher is gone")
    }

    fn took(&mut self, id: u64) {
        if let Some(position) = self.begun.iter().position(|(begun, _)| *begun == id)
            && let Some((_, begun)) = self.begun.remove(position)
        {
            self.took.push(begun.elapsed());
        }
    }

    fn show(&mut self, answer: Answer) -> anyhow::Result<()> {
        let result = match answer {
            Answer::Value(value) => codec::read(&value.pickle)
                .and_then(|document| document.to_json())
                .map_err(|error| format!("the result: {error}")),
            Answer::Failure(failure) => Err(describe(&failure)),
            // Only calls are made here.
            _ => return Ok(()),
        };
        match result {
            Ok(value) => writeln!(io::stdout().lock(), "{value}")?,
            Err(text) => {
                self.failed += 1;
                writeln!(io::stderr().lock(), "portpool: {text}")?;
            }
        }
        Ok(())
    }

    fn summarise(&mut self, elapsed: Duration) -> anyhow::Result<()> {
        self.took.sort_unstable();
        let at = |share: f64| self.took.get((self.took.len() as f64 * share) as usize).copied().unwrap_or_default();
        let a_second = f64::from(self.made) / elapsed.as_secs_f64();
        let (median, slow) = (at(0.5), at(0.99));
        let Self { made, failed, .. } = self;
        let line = format!("{made} calls, {failed} failed, {a_second:.0} calls/s, p50 {median:.1?}, p99 {slow:.1?}");
        Ok(writeln!(io::stderr().lock(), "portpool: {line}")?)
    }
}

/// Everything that helps a person: reason, message, traceback, hint, the last lines of stderr.
fn describe(failure: &Failure) -> String {
    let mut text = failure.to_string();
    for key in ["traceback", "hint"] {
        if let Some(Value::String(more)) = failure.detail.get(key)
            && !more.is_empty()
        {
            text.push('\n');
            text.push_str(more.trim_end());
        }
    }
    if let Some(Value::Array(lines)) = failure.detail.get("stderr") {
        for line in lines.iter().filter_map(Value::as_str) {
            text.push_str("\n  ");
            text.push_str(line);
        }
    }
    text
}

fn fail(status: u8, failure: &Failure) -> anyhow::Result<u8> {
    complain(status, &describe(failure))
}

fn complain(status: u8, text: &str) -> anyhow::Result<u8> {
    writeln!(io::stderr().lock(), "portpool: {text}")?;
    Ok(status)
}
