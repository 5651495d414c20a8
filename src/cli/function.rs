//! What `portpool call` and `portpool bench` share: the function, its arguments, and the Python that runs it.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::builder::NonEmptyStringValueParser;

use super::duration;
use super::excerpt::{excerpt, place};
use crate::call::{Body, Limits, Mfa};
use crate::codec::json::{Defect, Refusal};
use crate::codec::{Argument, call_from_json};
use crate::config::{Config, OnStartFailure, Wait};

/// A function with its arguments, and the Python that runs it.
#[derive(Debug, clap::Args)]
pub(super) struct Function {
    /// Function to call, such as operator:add or os:path.join
    #[arg(value_name = "MODULE:FUNCTION", value_parser = parse_mfa)]
    pub(super) function: Mfa,
    /// Positional arguments, as JSON or as strings
    ///
    /// An argument that begins with {, [ or " is JSON, and so are numbers, true, false and null. Everything else is a string. Put -- before
    /// the function if an argument begins with a dash.
    #[arg(value_name = "ARG", allow_negative_numbers = true)]
    args: Vec<OsString>,
    /// Keyword arguments, as a JSON object
    #[arg(long, value_name = "JSON", default_value = "{}", hide_default_value = true)]
    kwargs: OsString,
    /// Take every ARG as a string, whatever it looks like
    #[arg(long)]
    raw: bool,
    /// Python interpreter: a path, or a command on PATH [default: that of the virtual environment that this program is
    /// in, or else python3]
    #[arg(long, value_name = "PYTHON", conflicts_with = "venv")]
    python: Option<PathBuf>,
    /// Virtual environment whose Python to use: a directory
    #[arg(long, value_name = "DIR")]
    venv: Option<PathBuf>,
    /// Directory to import modules from, after the working directory and before Python's own; repeatable
    #[arg(long, value_name = "DIR")]
    python_path: Vec<PathBuf>,
    /// Module to import once, in a process from which the workers are forked; repeatable
    #[arg(long, value_name = "MODULE", value_parser = NonEmptyStringValueParser::new())]
    preload: Vec<String>,
    /// Environment variable for Python; repeatable
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_variable)]
    env: Vec<(String, String)>,
    /// Maximum run time of a call, such as 200ms, 1.5s or 2m; a bare number is milliseconds [default: none]
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    timeout: Option<Duration>,
}

impl Function {
    /// The call as a worker receives it.
    ///
    /// # Errors
    /// An argument is invalid: which, where, and what to do.
    pub(super) fn body(&self) -> Result<Body, String> {
        let texts = self.args.iter().enumerate().map(|(index, arg)| utf8(arg, &argument(index)));
        let texts: Vec<&str> = texts.collect::<Result<_, _>>()?;
        let kwargs = utf8(&self.kwargs, "--kwargs")?;
        let read = if self.raw { Argument::Text } else { Argument::of };
        let args: Vec<Argument<'_>> = texts.iter().map(|text| read(text)).collect();
        let pickle = call_from_json(&self.function.module, &self.function.function, &args, kwargs);
        pickle.map(Body::from).map_err(|refusal| match refusal {
            Refusal::Argument(index, defect) => {
                let text = texts.get(index).copied().unwrap_or_default();
                let problem = format!("{} cannot be read as JSON", argument(index));
                format!("{}\n{}", wrong_json(&problem, text, &defect), advice(text))
            }
            Refusal::Kwargs(defect) => wrong_json("--kwargs must be a JSON object", kwargs, &defect),
        })
    }

    /// The configuration of a pool of this size, in which this many calls may wait without limit of time.
    ///
    /// # Errors
    /// The working directory is gone.
    pub(super) fn config(&self, size: usize, max_queue: usize) -> anyhow::Result<Config> {
        let here = std::env::current_dir().context("the working directory cannot be read")?;
        let defaults = Config::default();
        Ok(Config {
            size: Some(size),
            limits: Limits { checkout_timeout: None, timeout: self.timeout, ..defaults.limits },
            wait: Wait::First,
            on_start_failure: OnStartFailure::Fail,
            max_queue,
            python: self.python.clone(),
            venv: self.venv.as_ref().map(|venv| here.join(venv)),
            python_path: std::iter::once(here.clone())
                .chain(self.python_path.iter().map(|path| here.join(path)))
                .collect(),
            preload: self.preload.clone(),
            env: self.env.iter().map(|(name, value)| (name.clone(), Some(value.into()))).collect(),
            ..defaults
        })
    }
}

fn argument(index: usize) -> String {
    format!("argument {}", index + 1)
}

fn utf8<'a>(arg: &'a OsStr, name: &str) -> Result<&'a str, String> {
    std::str::from_utf8(arg.as_encoded_bytes()).map_err(|error| {
        format!(
            "{name} is not UTF-8 (byte {}): {arg:?}\nTo pass bytes, use {{\"$bytes\": \"<base64>\"}}.",
            error.valid_up_to() + 1
        )
    })
}

fn wrong_json(problem: &str, text: &str, defect: &Defect) -> String {
    let Defect { at, message } = defect;
    format!("{problem}: {message} ({})\n{}", place(text, *at), excerpt(text, *at))
}

/// How to pass as a string what was refused as JSON.
fn advice(text: &str) -> &'static str {
    if text.starts_with(['{', '[', '"']) {
        "An argument that begins with {, [ or \" is read as JSON. To pass arguments as strings, add --raw."
    } else {
        "A number is read as JSON. To pass arguments as strings, add --raw."
    }
}

fn parse_mfa(text: &str) -> Result<Mfa, String> {
    match text.split_once(':') {
        Some((module, function)) if !module.is_empty() && !function.is_empty() => {
            Ok(Mfa { module: module.into(), function: function.into() })
        }
        _ => Err("expected MODULE:FUNCTION, such as operator:add".to_owned()),
    }
}

fn parse_variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE, such as LANG=C".to_owned()),
    }
}
