//! What `portpool call` and `portpool bench` have in common: the function, its arguments, and the Python that it runs on.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::builder::NonEmptyStringValueParser;
use serde_json::{Map, Value};

use crate::call::{Body, Limits, Mfa};
use crate::codec::{self, CodecError};
use crate::config::{Config, Wait};

/// A function with its arguments, and the Python that it runs on.
#[derive(Debug, clap::Args)]
pub(super) struct Function {
    /// What to call, as MODULE:FUNCTION; both may be dotted
    #[arg(value_name = "MODULE:FUNCTION", value_parser = parse_mfa)]
    pub(super) function: Mfa,
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
    /// Longest run of a call: 500ms, 2s, 5m, or a bare number of milliseconds [default: no limit]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    timeout: Option<Duration>,
}

/// The arguments by keyword.
type Kwargs = Map<String, Value>;

impl Function {
    /// The call as a worker gets it.
    ///
    /// # Errors
    /// An argument has no form in Python.
    pub(super) fn body(&self) -> Result<Body, CodecError> {
        let positional: Vec<Value> = self.args.iter().map(|arg| json_or_string(arg)).collect();
        codec::call_from_json(&self.function.module, &self.function.function, &positional, &self.kwargs).map(Body::from)
    }

    /// A pool of this size for it, in which so many calls may wait, for as long as they like.
    ///
    /// # Errors
    /// The working directory is gone.
    pub(super) fn config(&self, size: usize, max_queue: usize) -> anyhow::Result<Config> {
        let here = std::env::current_dir().context("the working directory is gone")?;
        let defaults = Config::default();
        Ok(Config {
            size: Some(size),
            limits: Limits { checkout_timeout: None, timeout: self.timeout, ..defaults.limits },
            wait: Wait::First,
            max_queue,
            python: self.python.clone(),
            python_path: std::iter::once(here.clone())
                .chain(self.python_path.iter().map(|path| here.join(path)))
                .collect(),
            ..defaults
        })
    }
}

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

/// A time with its unit.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
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

fn json_or_string(arg: &str) -> Value {
    serde_json::from_str(arg).unwrap_or_else(|_| Value::String(arg.to_owned()))
}
