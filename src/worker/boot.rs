//! Starts a new Python: the stub on its command line, and the start order on its channel. docs/worker_protocol.md 1.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::SystemTime;

use super::python::{Interpreter, keep_directory_off_path};
use super::recipe::Recipe;
use super::token::{TOKEN, token};
use super::wire::PROTOCOL;
use crate::call::{StartCall, WorkerId};
use crate::codec::PickleWriter;

/// Removes the working directory from `sys.path` before anything is imported, then runs the boot module, which precedes
/// the start order. It has no blanks, because a script that becomes Python may not quote its arguments.
const STUB: &str = "sys=__import__('sys');sys.path[:]=filter(None,sys.path);\
     file=open(int(sys.argv[3]),'rb',closefd=False);\
     exec(compile(file.read(int(file.readline())),'<portpool>/_boot.py','exec'))";

/// The first argument after the stub, so that `ps` shows what this Python is. A forked worker has its template's.
pub(super) const WORKER: &str = "portpool-worker";
/// The same for a template.
pub(super) const TEMPLATE: &str = "portpool-template";

/// How much address space a free-threaded Python reserves at a time, in KiB.
const RESERVE: &str = "MIMALLOC_ARENA_RESERVE";

/// A directory with a package to use instead of the embedded one, for work on the Python side.
const DIRECTORY: &str = "PORTPOOL_PYTHON_DIR";

const BOOT: (&str, &str) = ("_boot.py", include_str!("../../priv/python/portpool/_boot.py"));

/// Module, file, embedded source.
const SOURCES: &[(&str, &str, &str)] = &[
    ("portpool", "__init__.py", include_str!("../../priv/python/portpool/__init__.py")),
    ("portpool._bounds", "_bounds.py", include_str!("../../priv/python/portpool/_bounds.py")),
    ("portpool._calls", "_calls.py", include_str!("../../priv/python/portpool/_calls.py")),
    ("portpool._cancellation", "_cancellation.py", include_str!("../../priv/python/portpool/_cancellation.py")),
    ("portpool._codec", "_codec.py", include_str!("../../priv/python/portpool/_codec.py")),
    ("portpool._copies", "_copies.py", include_str!("../../priv/python/portpool/_copies.py")),
    ("portpool._dates", "_dates.py", include_str!("../../priv/python/portpool/_dates.py")),
    ("portpool._encoding", "_encoding.py", include_str!("../../priv/python/portpool/_encoding.py")),
    ("portpool._errors", "_errors.py", include_str!("../../priv/python/portpool/_errors.py")),
    ("portpool._extend", "_extend.py", include_str!("../../priv/python/portpool/_extend.py")),
    ("portpool._fresh", "_fresh.py", include_str!("../../priv/python/portpool/_fresh.py")),
    ("portpool._generators", "_generators.py", include_str!("../../priv/python/portpool/_generators.py")),
    ("portpool._hooks", "_hooks.py", include_str!("../../priv/python/portpool/_hooks.py")),
    ("portpool._identity", "_identity.py", include_str!("../../priv/python/portpool/_identity.py")),
    ("portpool._importer", "_importer.py", include_str!("../../priv/python/portpool/_importer.py")),
    ("portpool._inherited", "_inherited.py", include_str!("../../priv/python/portpool/_inherited.py")),
    ("portpool._library", "_library.py", include_str!("../../priv/python/portpool/_library.py")),
    ("portpool._lines", "_lines.py", include_str!("../../priv/python/portpool/_lines.py")),
    ("portpool._logs", "_logs.py", include_str!("../../priv/python/portpool/_logs.py")),
    ("portpool._loop", "_loop.py", include_str!("../../priv/python/portpool/_loop.py")),
    ("portpool._memory", "_memory.py", include_str!("../../priv/python/portpool/_memory.py")),
    ("portpool._missing", "_missing.py", include_str!("../../priv/python/portpool/_missing.py")),
    ("portpool._numeric", "_numeric.py", include_str!("../../priv/python/portpool/_numeric.py")),
    ("portpool._process", "_process.py", include_str!("../../priv/python/portpool/_process.py")),
    ("portpool._program", "_program.py", include_str!("../../priv/python/portpool/_program.py")),
    ("portpool._records", "_records.py", include_str!("../../priv/python/portpool/_records.py")),
    ("portpool._reducers", "_reducers.py", include_str!("../../priv/python/portpool/_reducers.py")),
    ("portpool._refusals", "_refusals.py", include_str!("../../priv/python/portpool/_refusals.py")),
    ("portpool._replacement", "_replacement.py", include_str!("../../priv/python/portpool/_replacement.py")),
    ("portpool._say", "_say.py", include_str!("../../priv/python/portpool/_say.py")),
    ("portpool._show", "_show.py", include_str!("../../priv/python/portpool/_show.py")),
    ("portpool._signals", "_signals.py", include_str!("../../priv/python/portpool/_signals.py")),
    ("portpool._start", "_start.py", include_str!("../../priv/python/portpool/_start.py")),
    ("portpool._stdlib", "_stdlib.py", include_str!("../../priv/python/portpool/_stdlib.py")),
    ("portpool._stop", "_stop.py", include_str!("../../priv/python/portpool/_stop.py")),
    ("portpool._template", "_template.py", include_str!("../../priv/python/portpool/_template.py")),
    ("portpool._tensors", "_tensors.py", include_str!("../../priv/python/portpool/_tensors.py")),
    ("portpool._types", "_types.py", include_str!("../../priv/python/portpool/_types.py")),
    ("portpool._wire", "_wire.py", include_str!("../../priv/python/portpool/_wire.py")),
    ("portpool._worker", "_worker.py", include_str!("../../priv/python/portpool/_worker.py")),
    ("portpool.testing", "testing.py", include_str!("../../priv/python/portpool/testing.py")),
];

/// What the new Python becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Worker,
    Template,
}

/// The command for a new Python that becomes this worker, or a template.
pub(super) fn command(recipe: &Recipe, title: &str, worker: WorkerId) -> Command {
    let mut command = Command::new(&recipe.python);
    command.args(["-c", STUB, title]).arg(worker.to_string());
    keep_directory_off_path(&mut command);
    if recipe.memory_limit.is_some() || recipe.rlimits.iter().any(|(name, _)| name == "data" || name == "as") {
        reserve_no_memory(&mut command);
    }
    for (name, value) in &recipe.env {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.env(TOKEN, token(worker));
    if let Some(cd) = &recipe.cd {
        command.current_dir(cd);
    }
    command
}

/// Keeps a free-threaded Python from reserving a gigabyte when it starts: the limits count what is reserved.
/// `_bounds.py` takes the variable away. The user's own comes later, and wins.
fn reserve_no_memory(command: &mut Command) {
    if std::env::var_os(RESERVE).is_none() {
        command.env(RESERVE, "1");
    }
}

/// What a process reads first, the same for all processes of a pool in one role: the boot module, then the start order.
pub(super) fn start_order(recipe: &Recipe, role: Role) -> std::io::Result<Vec<u8>> {
    let boot = source(BOOT.0, BOOT.1)?;
    let mut bytes = format!("{}\n{boot}", boot.len()).into_bytes();
    bytes.extend(pickle(recipe, role)?);
    Ok(bytes)
}

/// The wall clock in seconds, for comparison with the times of files.
fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

fn pickle(recipe: &Recipe, role: Role) -> std::io::Result<Vec<u8>> {
    let mut order = PickleWriter::new();
    order.dict_start();
    sources(&mut order)?;
    order.str("python_path");
    order.list_start();
    recipe.python_path.iter().for_each(|entry| order.bytes(entry.as_os_str().as_bytes()));
    order.list_end();
    order.str("preload");
    order.list_start();
    recipe.preload.iter().for_each(|module| order.str(module));
    order.list_end();
    call(&mut order, "warmup", recipe.warmup.as_ref());
    call(&mut order, "init", recipe.init.as_ref());
    for (key, value) in [
        ("parent", Some(u64::from(std::process::id()))),
        ("protocol", Some(PROTOCOL)),
        ("max_frame", Some(recipe.max_frame as u64)),
        ("max_memory", recipe.max_memory),
        ("busy_poll", u64::try_from(recipe.busy_poll.as_micros()).ok()),
        ("memory_limit", recipe.memory_limit),
        ("started", Some(now())),
    ] {
        order.str(key);
        number(&mut order, value);
    }
    bounds(&mut order, recipe);
    order.str("venv");
    venv(&mut order, recipe.venv.as_ref());
    order.str("template");
    order.bool(role == Role::Template);
    order.str("numeric_threads");
    order.dict_start();
    for (name, value) in &recipe.numeric_threads {
        order.str(name);
        text(&mut order, value.as_ref().and_then(|value| value.to_str()));
    }
    order.dict_end();
    order.dict_end();
    Ok(order.finish())
}

/// The limits of a process and everything it starts, other than its memory.
fn bounds(order: &mut PickleWriter, recipe: &Recipe) {
    order.str("cgroup");
    match &recipe.cgroup {
        Some(group) => {
            order.tuple_start();
            order.bytes(group.procs().as_os_str().as_bytes());
            order.bool(group.must());
            order.tuple_end();
        }
        None => order.none(),
    }
    order.str("no_new_privs");
    order.bool(recipe.no_new_privs);
    order.str("rlimits");
    order.dict_start();
    for (name, limit) in &recipe.rlimits {
        order.str(name);
        number(order, Some(*limit));
    }
    order.dict_end();
}

/// What the interpreter of a virtual environment was when the server started.
fn venv(order: &mut PickleWriter, interpreter: Option<&Interpreter>) {
    match interpreter {
        Some(interpreter) => {
            order.tuple_start();
            order.str(&interpreter.series());
            order.bytes(interpreter.base_prefix.as_os_str().as_bytes());
            order.tuple_end();
        }
        None => order.none(),
    }
}

/// The modules of the package.
fn sources(order: &mut PickleWriter) -> std::io::Result<()> {
    order.str("sources");
    order.dict_start();
    for &(module, file, embedded) in SOURCES {
        order.str(module);
        order.str(&source(file, embedded)?);
    }
    order.dict_end();
    Ok(())
}

fn source(file: &str, embedded: &str) -> std::io::Result<String> {
    match std::env::var_os(DIRECTORY).map(PathBuf::from) {
        Some(directory) => std::fs::read_to_string(directory.join("portpool").join(file)),
        None => Ok(embedded.to_owned()),
    }
}

/// The name of a call, for messages, and its pickle.
fn call(order: &mut PickleWriter, key: &str, call: Option<&StartCall>) {
    order.str(key);
    match call {
        Some(StartCall { mfa, pickle }) => {
            order.tuple_start();
            order.str(&format!("{}.{}", mfa.module, mfa.function));
            order.bytes(pickle);
            order.tuple_end();
        }
        None => order.none(),
    }
}

fn number(order: &mut PickleWriter, value: Option<u64>) {
    match value {
        Some(value) => order.int(i64::try_from(value).unwrap_or(i64::MAX)),
        None => order.none(),
    }
}

fn text(order: &mut PickleWriter, value: Option<&str>) {
    match value {
        Some(value) => order.str(value),
        None => order.none(),
    }
}
