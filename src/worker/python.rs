//! Finds the interpreter that an option names and proves that it is one that workers can run on.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use super::orphans::Children;
use super::process::{Exit, Process};

/// The oldest Python that workers run on.
const OLDEST: (u32, u32) = (3, 9);
/// Asks an interpreter for its version and for its real path: what was found may be a shim that costs 100 ms at each start.
const QUESTION: &str =
    "import sys; sys.stdout.write('portpool %d %d %d %s' % (sys.version_info[:3] + (sys.executable or '',)))";
/// How much of a wrong answer an error shows.
const ANSWER: u64 = 4096;

/// A Python that workers can run on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpreter {
    /// Its real path.
    pub executable: PathBuf,
    /// Its version: `3.11.7`.
    pub version: String,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum NoPython {
    /// Nothing of that name.
    #[error("python {0:?} was not found in PATH: install it, or give the path of an interpreter")]
    NotInPath(String),
    /// Nothing at that path.
    #[error("python {0:?} does not exist")]
    Missing(PathBuf),
    /// A file without the permission, or a directory.
    #[error("python {0:?} is not an executable file")]
    NotExecutable(PathBuf),
    /// The operating system would not run it.
    #[error("python {0:?} could not be run: {1}")]
    NotRun(PathBuf, io::Error),
    /// A script whose first line names a program that is not there: the operating system says the script was not found.
    #[error("python {0:?} is a script, and its interpreter {1:?} does not exist")]
    NoInterpreter(PathBuf, PathBuf),
    /// It runs but is no Python.
    #[error("python {0:?} does not behave like Python ({1}): {2:?}")]
    NotPython(PathBuf, String, String),
    /// It runs, and runs.
    #[error("python {0:?} did not say its version within {1:?}")]
    TooSlow(PathBuf, Duration),
    /// An older one.
    #[error("python {path:?} is version {version}: Portpool needs 3.9 or newer", path = .0.executable, version = .0.version)]
    TooOld(Interpreter),
}

/// Finds the interpreter, by path or by name in PATH, and asks it for its version.
pub async fn find_python(
    python: &str,
    env: &[(String, Option<String>)],
    limit: Duration,
    children: &Arc<Children>,
) -> Result<Interpreter, NoPython> {
    let path = locate(python, env)?;
    let mut command = Command::new(&path);
    command.args(["-S", "-c", QUESTION]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for (name, value) in env {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let (process, child) =
        Process::spawn(&mut command, None, children).map_err(|error| not_run(path.clone(), error))?;
    tokio::time::timeout(limit, process.ended()).await.map_err(|_| NoPython::TooSlow(path.clone(), limit))?.ok();
    let exit = process.reap();
    let answer = child.stdout.map(read).unwrap_or_default();
    let errors = child.stderr.map(read).unwrap_or_default();
    let Some(found) = understand(&answer, &path) else {
        return Err(NoPython::NotPython(path, how(exit), if answer.is_empty() { errors } else { answer }));
    };
    new_enough(found)
}

fn not_run(path: PathBuf, error: io::Error) -> NoPython {
    match interpreter(&path) {
        Some(interpreter) if !interpreter.exists() => NoPython::NoInterpreter(path, interpreter),
        _ => NoPython::NotRun(path, error),
    }
}

/// The program that the first line of a script names.
fn interpreter(script: &Path) -> Option<PathBuf> {
    let mut start = Vec::new();
    fs::File::open(script).ok()?.take(ANSWER).read_to_end(&mut start).ok()?;
    let start = String::from_utf8_lossy(&start);
    let line = start.strip_prefix("#!")?.lines().next()?;
    line.split_whitespace().next().map(PathBuf::from)
}

fn how(exit: io::Result<Exit>) -> String {
    match exit {
        Ok(exit) => exit.to_string(),
        Err(error) => error.to_string(),
    }
}

fn new_enough((found, version): (Interpreter, (u32, u32))) -> Result<Interpreter, NoPython> {
    if version < OLDEST { Err(NoPython::TooOld(found)) } else { Ok(found) }
}

/// What has been written to a pipe whose writer has ended. A child of its may hold it, so this must not wait.
fn read(pipe: impl Read + std::os::fd::AsFd) -> String {
    let mut text = Vec::new();
    if rustix::io::ioctl_fionbio(&pipe, true).is_ok() {
        // The bytes that are there come before the error that there are no more.
        let _ = pipe.take(ANSWER).read_to_end(&mut text);
    }
    String::from_utf8_lossy(&text).trim().to_owned()
}

fn understand(answer: &str, asked: &Path) -> Option<(Interpreter, (u32, u32))> {
    let mut fields = answer.strip_prefix("portpool ")?.splitn(4, ' ');
    let mut number = || fields.next()?.parse::<u32>().ok();
    let (major, minor, patch) = (number()?, number()?, number()?);
    let executable = match fields.next() {
        Some(path) if Path::new(path).is_file() => PathBuf::from(path),
        _ => asked.to_owned(),
    };
    Some((Interpreter { executable, version: format!("{major}.{minor}.{patch}") }, (major, minor)))
}

/// A name without a slash is looked up in the PATH that the workers will have.
fn locate(python: &str, env: &[(String, Option<String>)]) -> Result<PathBuf, NoPython> {
    if python.contains('/') {
        let path = PathBuf::from(python);
        return match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(NoPython::Missing(path)),
            Err(error) => Err(NoPython::NotRun(path, error)),
            Ok(_) if !is_executable(&path) => Err(NoPython::NotExecutable(path)),
            Ok(_) => std::path::absolute(&path).map_err(|error| NoPython::NotRun(path, error)),
        };
    }
    let own = env::var_os("PATH").unwrap_or_default();
    let path = env
        .iter()
        .rev()
        .find(|(name, _)| name == "PATH")
        .map_or(Some(own.as_os_str()), |(_, value)| value.as_deref().map(OsStr::new));
    path.and_then(|path| env::split_paths(path).map(|folder| folder.join(python)).find(|file| is_executable(file)))
        .ok_or_else(|| NoPython::NotInPath(python.to_owned()))
}

fn is_executable(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
