//! The options of a pool, in the first packet: docs/protocol.md 2 and 7.2.

use eetf::Term;

use super::each::{each, unknown, wrong};
use super::given::{Given, MOST_FRAME};
use crate::call::{Failure, Mfa, StartCall};
use crate::codec::{self, CodecError, Options, etf};
use crate::config::{Config, OnStartFailure, Wait, default_busy_poll};

/// The version of the protocol.
const PROTOCOL: u64 = 1;
/// The maximum number of workers.
pub(crate) const MAX_WORKERS: u64 = 1024;

/// The options of a pool, for "did you mean". The table is docs/protocol.md 7.2; a test compares the two.
const POOL_OPTIONS: [&str; 45] = [
    "size",
    "max_overflow",
    "overflow_ttl",
    "strategy",
    "checkout_timeout",
    "timeout",
    "deadline",
    "grace",
    "on_cancel",
    "retry",
    "quarantine",
    "lease_timeout",
    "start_timeout",
    "on_start_failure",
    "on_crash_loop",
    "preload",
    "warmup",
    "init",
    "max_calls",
    "max_age",
    "max_memory",
    "memory_limit",
    "rlimits",
    "no_new_privs",
    "cgroup",
    "pool_memory_limit",
    "idle_check",
    "busy_poll",
    "prefetch",
    "drain_timeout",
    "signals",
    "wait",
    "max_queue",
    "max_queue_bytes",
    "max_inflight_bytes",
    "max_frame",
    "allow",
    "binaries",
    "none",
    "python",
    "venv",
    "python_path",
    "env",
    "cd",
    "logs",
];

/// The content of `hello`.
#[derive(Debug)]
pub struct Hello(pub Config);

/// Reads the first packet: `{hello, 1, Options}`. docs/protocol.md 2.
pub fn read_hello(packet: &[u8], max_frame: usize) -> Result<Hello, Failure> {
    let term = etf::open(packet, max_frame).map_err(|error| not_hello(&error))?;
    let mut cursor = etf::Cursor::new(&term);
    let is_hello = cursor.tuple().is_ok_and(|arity| arity == 3) && cursor.atom().is_ok_and(|name| name == "hello");
    if !is_hello {
        return Err(Failure::bad_request("the first packet must be {hello, 1, Options}"));
    }
    let version = cursor.u64().map_err(|error| not_hello(&error))?;
    if version != PROTOCOL {
        let message = format!("this server speaks version {PROTOCOL} of the protocol, not version {version}");
        return Err(Failure::bad_request(message).with("protocol", PROTOCOL));
    }
    let options = cursor.term().map_err(|error| not_hello(&error))?;
    cursor.end().map_err(|error| not_hello(&error))?;
    let mut config = Config::default();
    let mut calls = Vec::new();
    each(options, |key, value| {
        if matches!(key, "init" | "warmup") {
            calls.push((key.to_owned(), value.0));
            return Ok(());
        }
        set(&mut config, key, &value.decode(key)?)
    })?;
    // Their arguments are data, and the other options decide what data become.
    for (key, span) in calls {
        let call = Some(read_start_call(&key, span, config.values)?);
        if key == "init" { config.init = call } else { config.warmup = call }
    }
    if config.on_start_failure == OnStartFailure::Fail && config.wait == Wait::None {
        return Err(wrong("on_start_failure", "fail cannot be combined with wait: none, which waits for no start"));
    }
    if config.venv.is_some() && config.python.is_some() {
        return Err(wrong("venv", "cannot be combined with python: a virtual environment has its own interpreter"));
    }
    Ok(Hello(config))
}

fn not_hello(error: &CodecError) -> Failure {
    Failure::bad_request(format!("the first packet must be {{hello, 1, Options}}: {error}"))
}

fn set(config: &mut Config, key: &str, value: &Term) -> Result<(), Failure> {
    let option = Given { key, value };
    match key {
        "size" if option.is_atom("auto") => config.size = None,
        "size" => config.size = Some(option.number(1, MAX_WORKERS, "a number of workers, 1 to 1024, or auto")?),
        "max_overflow" => config.max_overflow = option.number(0, MAX_WORKERS, "a number of workers, 0 to 1024")?,
        "overflow_ttl" => config.overflow_ttl = option.duration()?,
        "strategy" => config.strategy = option.strategy()?,
        "checkout_timeout" => config.limits.checkout_timeout = option.limit()?,
        "timeout" => config.limits.timeout = option.limit()?,
        "deadline" => config.limits.deadline = option.limit()?,
        "grace" => config.limits.grace = option.duration()?,
        "on_cancel" => config.on_cancel = option.on_cancel()?,
        "retry" => config.retry = option.retry()?,
        "quarantine" => config.quarantine = option.number(0, 1000, "a number of workers, 0 to 1000")? as u32,
        "lease_timeout" => config.lease_timeout = option.limit()?,
        "start_timeout" => config.start_timeout = option.duration()?,
        "on_start_failure" => config.on_start_failure = option.on_start_failure()?,
        "on_crash_loop" => config.on_crash_loop = option.on_crash_loop()?,
        "preload" => config.preload = option.modules()?,
        "max_memory" => config.max_memory = option.number_or_infinity(1, "a number of bytes")?,
        "memory_limit" => config.memory_limit = option.number_or_infinity(1, "a number of bytes")?,
        "rlimits" => config.rlimits = option.rlimits()?,
        "no_new_privs" => config.no_new_privs = option.boolean()?,
        "cgroup" => config.cgroup = option.cgroup()?,
        "pool_memory_limit" => config.pool_memory_limit = option.number_or_infinity(1, "a number of bytes")?,
        "max_calls" => config.max_calls = option.number_or_infinity(1, "a number of calls, 1 to 2^53,")?,
        "max_age" => config.max_age = option.pause()?,
        "idle_check" => config.idle_check = option.pause()?,
        "busy_poll" if option.is_atom("auto") => config.busy_poll = default_busy_poll(),
        "busy_poll" => config.busy_poll = option.microseconds(1000)?,
        "prefetch" => config.prefetch = option.prefetch()?,
        "drain_timeout" => config.drain_timeout = option.limit()?,
        "signals" => config.signals = option.signals()?,
        "logs" => config.logs = option.logs()?,
        "wait" => config.wait = option.wait()?,
        "max_queue" => config.max_queue = option.number(0, 1_000_000, "a number of calls, 0 to 1000000")?,
        "max_queue_bytes" => config.max_queue_bytes = option.number(0, u64::MAX, "a number of bytes")?,
        "max_inflight_bytes" => {
            config.max_inflight_bytes = option.number(1 << 16, u64::MAX, "a number of bytes, 65536 or more")?;
        }
        "max_frame" => config.max_frame = option.frame(MOST_FRAME)?,
        "allow" => config.allow = option.allow_list()?,
        "binaries" => config.values.binaries = option.binaries()?,
        "none" => config.values.none = option.none()?,
        "python" => config.python = Some(option.path("the path or name of an interpreter")?),
        "venv" => config.venv = Some(option.directory("the directory of a virtual environment")?),
        "python_path" => config.python_path = option.paths()?,
        "env" => config.env = option.env()?,
        "cd" => config.cd = Some(option.path("a directory")?),
        _ => return Err(unknown(key, &POOL_OPTIONS)),
    }
    Ok(())
}

/// `{Module, Function, Args}`
fn read_start_call(key: &str, span: &[u8], values: Options) -> Result<StartCall, Failure> {
    let malformed = |error: CodecError| wrong(key, &format!("must be {{Module, Function, Args}}: {error}"));
    let mut cursor = etf::Cursor::new(span);
    if cursor.tuple().map_err(malformed)? != 3 {
        return Err(wrong(key, "must be {Module, Function, Args}"));
    }
    let module = cursor.text().map_err(malformed)?;
    let function = cursor.text().map_err(malformed)?;
    if !cursor.has_list_next() {
        return Err(wrong(key, "must be {Module, Function, Args}, and Args a list"));
    }
    let args = cursor.term().map_err(malformed)?;
    let encoded =
        codec::call(&module, &function, args, None, values).map_err(|error| wrong(key, &error.to_string()))?;
    if !encoded.buffers.is_empty() {
        return Err(wrong(key, "its arguments have a binary of 64 KiB or more; write it to a file and send the path"));
    }
    let mfa = Mfa { module: module.into(), function: function.into() };
    Ok(StartCall { mfa, pickle: encoded.pickle.into() })
}
