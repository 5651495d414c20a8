//! Finds the interpreter that an option names, and checks that workers can run on it.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use super::orphans::Children;
use super::process::{Exit, Process};

/// The oldest Python that workers support.
const OLDEST: (u32, u32) = (3, 9);
/// The implementation that workers support. PyPy's pickler does not ask our table of reducers for types that are not in
/// it, and its `_pickle`, where there is one, has no `PickleBuffer`.
const IMPLEMENTATION: &str = "cpython";
/// Asks an interpreter for its version, its pid, its implementation, its real path, that of its installation, and the
/// machine that it was built for. It has no blanks, for scripts that do not quote their arguments. Python 2 does not know
/// its implementation. It answers in bytes, since a path may not be text, on a line of its own, since a script may print
/// first. It imports only what is built in: before 3.11, the working directory is on the path.
const QUESTION: &str = "os=__import__('posix');sys=__import__('sys');\
     bytes=lambda*path:str(path[0]).encode(sys.getfilesystemencoding(),'surrogateescape');\
     itself=getattr(sys,'implementation',0);\
     os.write(1,b'\\nportpool:%d:%d:%d:%d:%s:%s\\0%s\\0%s\\0'%\
     (sys.version_info[:3]+(os.getpid(),getattr(itself,'name','cpython').encode(),\
     bytes(sys.executable),bytes(getattr(sys,'base_prefix','')),bytes(getattr(itself,'_multiarch','')))))";
/// The start of the answer.
const ANSWER: &[u8] = b"\nportpool:";
/// The variable that keeps the working directory off Python's path, since 3.11.
const SAFE_PATH: &str = "PYTHONSAFEPATH";
/// How much of its output is read: what a pipe holds.
const MOST: u64 = 64 << 10;
/// How much of a wrong answer is shown in an error.
const SHOWN: usize = 4096;

/// A Python that workers can run on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpreter {
    /// What is started for each worker and template: what the option names, even a script or a shim.
    pub program: PathBuf,
    /// The real path of the Python that it becomes.
    pub executable: PathBuf,
    /// Its version: `3.11.7`.
    pub version: String,
    /// The path of its installation, also in a virtual environment: `sys.base_prefix`.
    pub base_prefix: PathBuf,
    /// The machine that it and its packages are for, where it says so: `x86_64-linux-gnu`.
    pub machine: Option<String>,
}

impl Interpreter {
    /// The part of its version that packages depend on: `3.11`.
    pub(super) fn series(&self) -> String {
        self.version.split('.').take(2).collect::<Vec<_>>().join(".")
    }
}

/// Why there is no usable Python.
#[derive(Debug, thiserror::Error)]
pub enum NoPython {
    /// There is nothing of that name.
    #[error("python {0:?} was not found in PATH: install it, or give the path of an interpreter")]
    NotInPath(PathBuf),
    /// There is nothing at that path.
    #[error("python {0:?} does not exist")]
    Missing(PathBuf),
    /// The file is not executable, or it is a directory.
    #[error("python {0:?} is not an executable file")]
    NotExecutable(PathBuf),
    /// The operating system could not run it.
    #[error("python {0:?} could not be run: {1}")]
    NotRun(PathBuf, io::Error),
    /// A script whose first line names a missing program. The operating system reports that the script was not found.
    #[error("python {0:?} is a script, and its interpreter {1:?} does not exist")]
    NoInterpreter(PathBuf, PathBuf),
    /// It runs, but it is not Python.
    #[error("python {0:?} does not behave like Python ({1}): {2:?}")]
    NotPython(PathBuf, String, String),
    /// A script that starts Python instead of becoming it.
    #[error(
        "python {0:?} starts Python as a child process: a worker must be the process that the server has started. End the \
         script with `exec python3 \"$@\"`"
    )]
    NotExec(PathBuf),
    /// It keeps running.
    #[error("python {0:?} did not say its version within {limit} ms (start_timeout)", limit = .1.as_millis())]
    TooSlow(PathBuf, Duration),
    /// It is too old.
    #[error("python {path:?} is version {version}: Portpool needs 3.9 or newer", path = .0.program, version = .0.version)]
    TooOld(Box<Interpreter>),
    /// It is PyPy, GraalPy or another Python than CPython.
    #[error(
        "python {path:?} is {1} {version}: Portpool needs CPython 3.9 or newer", path = .0.program, version = .0.version
    )]
    NotCPython(Box<Interpreter>, String),
}

/// Keeps the working directory off Python's path until our code runs. From 3.13 on, `python -c` itself imports `linecache`,
/// which may be a user's module. `_boot.py` takes the variable away. The user's own comes later, and wins.
pub(super) fn keep_directory_off_path(command: &mut Command) {
    if env::var_os(SAFE_PATH).is_none() {
        command.env(SAFE_PATH, "portpool");
    }
}

/// Finds the interpreter, by path or by name in PATH, and asks it for its version.
pub async fn find_python(
    python: &Path,
    env: &[(String, Option<OsString>)],
    limit: Duration,
    children: &Arc<Children>,
) -> Result<Interpreter, NoPython> {
    let path = locate(python, env)?;
    let mut command = Command::new(&path);
    keep_directory_off_path(&mut command);
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
    let Some(Answer { found, version, pid, implementation }) = understand(&answer, &path) else {
        return Err(NoPython::NotPython(path, how(exit), text(if answer.is_empty() { &errors } else { &answer })));
    };
    if implementation != IMPLEMENTATION {
        return Err(NoPython::NotCPython(Box::new(found), implementation));
    }
    if version < OLDEST {
        return Err(NoPython::TooOld(Box::new(found)));
    }
    if pid != process.pid() {
        return Err(NoPython::NotExec(path));
    }
    Ok(found)
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
    fs::File::open(script).ok()?.take(MOST).read_to_end(&mut start).ok()?;
    let start = String::from_utf8_lossy(&start);
    // As the kernel reads it, which takes the carriage return of a file from Windows for a part of the name.
    let line = start.strip_prefix("#!")?.split('\n').next()?;
    line.split([' ', '\t']).find(|word| !word.is_empty()).map(PathBuf::from)
}

fn how(exit: io::Result<Exit>) -> String {
    match exit {
        Ok(exit) => exit.to_string(),
        Err(error) => error.to_string(),
    }
}

/// What was written to a pipe whose writer has ended. A child of the writer may hold the pipe, so this must not wait.
fn read(pipe: impl Read + std::os::fd::AsFd) -> Vec<u8> {
    let mut bytes = Vec::new();
    if rustix::io::ioctl_fionbio(&pipe, true).is_ok() {
        // The bytes come before the error that there are no more.
        let _ = pipe.take(MOST).read_to_end(&mut bytes);
    }
    bytes
}

/// The text for an error.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.get(..SHOWN).unwrap_or(bytes)).trim().to_owned()
}

/// What an interpreter says about itself.
struct Answer {
    found: Interpreter,
    version: (u32, u32),
    pid: u32,
    implementation: String,
}

fn understand(answer: &[u8], asked: &Path) -> Option<Answer> {
    let start = answer.windows(ANSWER.len()).rposition(|window| window == ANSWER)? + ANSWER.len();
    let mut fields = answer.get(start..)?.splitn(6, |byte| *byte == b':');
    let mut number = || std::str::from_utf8(fields.next()?).ok()?.parse::<u32>().ok();
    let (major, minor, patch, pid) = (number()?, number()?, number()?, number()?);
    let implementation = String::from_utf8_lossy(fields.next()?).into_owned();
    let mut paths = fields.next()?.split(|byte| *byte == 0).map(|path| PathBuf::from(OsStr::from_bytes(path)));
    let executable = paths.next().filter(|path| path.is_file()).unwrap_or_else(|| asked.to_owned());
    let base_prefix = paths.next().unwrap_or_default();
    let machine = paths.next().map(|name| name.to_string_lossy().into_owned()).filter(|name| !name.is_empty());
    let version = format!("{major}.{minor}.{patch}");
    let found = Interpreter { program: asked.to_owned(), executable, version, base_prefix, machine };
    Some(Answer { found, version: (major, minor), pid, implementation })
}

/// Looks up a name without a slash in the PATH that the workers will have. The path is absolute, because workers may
/// have another working directory, and otherwise unchanged: the link that Python is started through decides on its
/// virtual environment.
fn locate(python: &Path, env: &[(String, Option<OsString>)]) -> Result<PathBuf, NoPython> {
    let absolute = |path: PathBuf| std::path::absolute(&path).map_err(|error| NoPython::NotRun(path, error));
    if python.as_os_str().as_bytes().contains(&b'/') {
        return match fs::metadata(python) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(NoPython::Missing(python.to_owned())),
            Err(error) => Err(NoPython::NotRun(python.to_owned(), error)),
            Ok(_) if !is_executable(python) => Err(NoPython::NotExecutable(python.to_owned())),
            Ok(_) => absolute(python.to_owned()),
        };
    }
    let own = env::var_os("PATH").unwrap_or_default();
    let path =
        env.iter().rev().find(|(name, _)| name == "PATH").map_or(Some(own.as_os_str()), |(_, value)| value.as_deref());
    path.and_then(|path| env::split_paths(path).map(|folder| folder.join(python)).find(|file| is_executable(file)))
        .ok_or_else(|| NoPython::NotInPath(python.to_owned()))
        .and_then(absolute)
}

fn is_executable(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
