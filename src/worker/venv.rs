//! A virtual environment: what it has recorded about its interpreter, and whether that is what runs. docs/protocol.md 8.12.

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::python::Interpreter;

/// The file that makes a directory a virtual environment.
const CONFIG: &str = "pyvenv.cfg";
/// The folder that makes a directory a conda environment.
const CONDA: &str = "conda-meta";

/// A virtual environment with an interpreter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Venv {
    /// Where it is.
    pub dir: PathBuf,
    /// Its interpreter, which is what workers run on.
    pub python: PathBuf,
    recorded: Recorded,
}

/// What the environment was made with, as far as its configuration says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Recorded {
    /// The folder of the interpreter that it was made with.
    home: Option<PathBuf>,
    /// The path of that interpreter.
    executable: Option<PathBuf>,
    /// Its `sys.base_prefix`. Not all tools record it.
    base_prefix: Option<PathBuf>,
    /// Its version: `3.11.7`, or longer.
    version: Option<String>,
    /// The machine that its packages are for. `mix portpool.venv` records it.
    machine: Option<String>,
}

/// Why a directory cannot be used as a virtual environment.
#[derive(Debug, thiserror::Error)]
pub enum NoVenv {
    /// There is nothing of that name.
    #[error("{0:?} does not exist: create it with `mix portpool.venv` or `python3 -m venv`")]
    Missing(PathBuf),
    /// It, or its configuration, cannot be read.
    #[error("{0:?} cannot be used: {1}")]
    Unreadable(PathBuf, io::Error),
    /// It is something else.
    #[error("{0:?} is not a virtual environment: it has no pyvenv.cfg. The option python takes any other interpreter")]
    NotOne(PathBuf),
    /// conda keeps its interpreter inside, and records nothing about it.
    #[error("{dir:?} is a conda environment, not a virtual environment: give its interpreter as the option python, {python:?}", dir = .0, python = .0.join("bin/python"))]
    Conda(PathBuf),
    /// It has no interpreter.
    #[error("{0:?} has no bin/python: create it again with `mix portpool.venv` or `python3 -m venv`")]
    NoPython(PathBuf),
    /// Its interpreter, or the one that it was made with, has gone.
    #[error("the Python of {dir:?} is gone: it was made with {recorded}, and {what}. {CURE}")]
    Gone {
        /// The environment.
        dir: PathBuf,
        /// What it was made with.
        recorded: String,
        /// What is there now.
        what: String,
    },
    /// Another interpreter runs than the one that it was made with.
    #[error("{dir:?} was made with {recorded}, but its bin/python runs {found}, without its packages. {CURE}")]
    Another {
        /// The environment.
        dir: PathBuf,
        /// What it was made with.
        recorded: String,
        /// What runs.
        found: String,
    },
    /// It has packages for another machine.
    #[error(
        "{dir:?} has packages for {recorded}, and its Python is for {found}. Make the environment on a machine like this one"
    )]
    Machine {
        /// The environment.
        dir: PathBuf,
        /// The machine that the packages are for.
        recorded: String,
        /// The machine that the interpreter is for.
        found: String,
    },
    /// Its interpreter is a program that starts another one.
    #[error(
        "bin/python of {dir:?} starts {found:?}, which is outside it and does not see its packages. Create it again with `mix portpool.venv` or `python3 -m venv`"
    )]
    Outside {
        /// The environment.
        dir: PathBuf,
        /// What runs.
        found: PathBuf,
    },
}

/// What to do about an interpreter that is not the right one.
const CURE: &str = "Install that Python there again, or make the environment anew with the Python of this machine, with `mix portpool.venv` or `python3 -m venv`";

impl Venv {
    /// Reads what a directory says about itself.
    pub fn open(dir: &Path) -> Result<Self, NoVenv> {
        let recorded = match fs::read(dir.join(CONFIG)) {
            Ok(config) => Recorded::of(&config),
            Err(error) => return Err(not_one(dir, error)),
        };
        let python = dir.join("bin").join("python");
        match fs::metadata(&python) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(no_python(dir, &python, &recorded)),
            Err(error) => return Err(NoVenv::Unreadable(python, error)),
            Ok(_) => {}
        }
        let venv = Self { dir: dir.to_owned(), python, recorded };
        // Some interpreters run without their installation, with another one that they find.
        for path in [&venv.recorded.home, &venv.recorded.base_prefix].into_iter().flatten() {
            if !path.exists() {
                return Err(venv.gone(path));
            }
        }
        Ok(venv)
    }

    fn gone(&self, path: &Path) -> NoVenv {
        let what = format!("{path:?} does not exist any more");
        NoVenv::Gone { dir: self.dir.clone(), recorded: self.recorded.to_string(), what }
    }

    /// The reason why its interpreter cannot run, if what the environment has recorded says it.
    pub fn why_not_run(&self) -> Option<NoVenv> {
        self.recorded.executable.as_ref().filter(|path| !path.exists()).map(|path| self.gone(path))
    }

    /// Checks that the interpreter that runs is the one with which the environment was made, so that its packages fit.
    pub fn check(&self, found: &Interpreter) -> Result<(), NoVenv> {
        let dir = self.dir.clone();
        let is_same_version = self.recorded.version.as_ref().is_none_or(|version| series(version) == found.series());
        if !is_same_version || !self.recorded.is_from(&found.base_prefix) {
            return Err(NoVenv::Another { dir, recorded: self.recorded.to_string(), found: shown(found) });
        }
        if let (Some(recorded), Some(machine)) = (&self.recorded.machine, &found.machine)
            && recorded != machine
        {
            return Err(NoVenv::Machine { dir, recorded: recorded.clone(), found: machine.clone() });
        }
        if real(found.executable.parent()) != real(self.python.parent()) {
            return Err(NoVenv::Outside { dir, found: found.executable.clone() });
        }
        Ok(())
    }
}

/// Why a directory without a readable configuration is no virtual environment.
fn not_one(dir: &Path, error: io::Error) -> NoVenv {
    match fs::metadata(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => NoVenv::Missing(dir.to_owned()),
        Err(error) => NoVenv::Unreadable(dir.to_owned(), error),
        Ok(_) if dir.join(CONDA).is_dir() => NoVenv::Conda(dir.to_owned()),
        Ok(_) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            NoVenv::NotOne(dir.to_owned())
        }
        Ok(_) => NoVenv::Unreadable(dir.join(CONFIG), error),
    }
}

/// Why there is no interpreter: its link may lead nowhere.
fn no_python(dir: &Path, python: &Path, recorded: &Recorded) -> NoVenv {
    let mut end = python.to_owned();
    // The system follows no more than forty.
    for _ in 0..40 {
        let Ok(target) = fs::read_link(&end) else { break };
        end = end.parent().unwrap_or(dir).join(target);
    }
    if end == python {
        return NoVenv::NoPython(dir.to_owned());
    }
    let what = format!("bin/python leads to {end:?}, which does not exist");
    NoVenv::Gone { dir: dir.to_owned(), recorded: recorded.to_string(), what }
}

impl Recorded {
    /// Reads a configuration: lines of a name, `=` and a value.
    fn of(config: &[u8]) -> Self {
        let mut recorded = Self::default();
        for line in config.split(|byte| *byte == b'\n') {
            let mut parts = line.splitn(2, |byte| *byte == b'=').map(<[u8]>::trim_ascii);
            let (Some(name), Some(value)) = (parts.next(), parts.next()) else { continue };
            let path = || Some(PathBuf::from(OsStr::from_bytes(value)));
            let text = || Some(String::from_utf8_lossy(value).into_owned());
            match name.to_ascii_lowercase().as_slice() {
                b"home" => recorded.home = path(),
                // That of the standard library, and that of virtualenv.
                b"executable" | b"base-executable" => recorded.executable = path(),
                b"base-prefix" => recorded.base_prefix = path(),
                b"version" | b"version_info" => recorded.version = text(),
                b"portpool-machine" => recorded.machine = text(),
                _ => {}
            }
        }
        recorded
    }

    /// Whether the environment was made with an interpreter of this prefix.
    fn is_from(&self, prefix: &Path) -> bool {
        let prefix = real(Some(prefix));
        match (&self.base_prefix, &self.home) {
            (Some(recorded), _) => real(Some(recorded)) == prefix,
            // Usually the folder around `home`. In a framework of macOS, `home` may hold only a link to it.
            (None, Some(home)) => real(Some(home)).starts_with(&prefix) || prefix.starts_with(real(home.parent())),
            (None, None) => true,
        }
    }
}

impl fmt::Display for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Python")?;
        if let Some(version) = &self.version {
            write!(f, " {}", version.split('.').take(3).collect::<Vec<_>>().join("."))?;
        }
        match self.executable.as_ref().or(self.home.as_ref()) {
            Some(place) => write!(f, " ({})", place.display()),
            None => Ok(()),
        }
    }
}

fn shown(found: &Interpreter) -> String {
    format!("Python {} ({})", found.version, found.base_prefix.display())
}

/// The part of a version that packages depend on.
fn series(version: &str) -> String {
    version.split('.').take(2).collect::<Vec<_>>().join(".")
}

/// A path without links, as far as it exists.
fn real(path: Option<&Path>) -> PathBuf {
    let path = path.unwrap_or_else(|| Path::new("/"));
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_tool_records_is_read() {
        for (config, version, executable, base) in [
            // The standard library, before 3.11 and since.
            ("home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.9.2\n", "3.9.2", None, None),
            (
                "home = /usr/bin\nversion = 3.11.2\nexecutable = /usr/bin/python3.11\n",
                "3.11.2",
                Some("/usr/bin/python3.11"),
                None,
            ),
            // virtualenv
            (
                "home = /usr/bin\nversion_info = 3.11.2.final.0\nbase-prefix = /usr\nbase-executable = /usr/bin/python3\n",
                "3.11.2.final.0",
                Some("/usr/bin/python3"),
                Some("/usr"),
            ),
            // uv
            ("home = /usr/bin\nimplementation = CPython\nuv = 0.5.1\nversion_info = 3.12.1\n", "3.12.1", None, None),
            ("HOME=/usr/bin\r\nVersion=3.12.1\r\nno value\n\n", "3.12.1", None, None),
        ] {
            let recorded = Recorded::of(config.as_bytes());
            assert_eq!(recorded.home.as_deref(), Some(Path::new("/usr/bin")), "{config}");
            assert_eq!(recorded.version.as_deref(), Some(version), "{config}");
            assert_eq!(recorded.executable.as_deref(), executable.map(Path::new), "{config}");
            assert_eq!(recorded.base_prefix.as_deref(), base.map(Path::new), "{config}");
        }
        let raw = Recorded::of(b"home = /caf\xe9/bin\n");
        assert_eq!(raw.home.unwrap().as_os_str().as_bytes(), b"/caf\xe9/bin");
        assert_eq!(Recorded::of(b""), Recorded::default());
    }

    #[test]
    fn a_prefix_belongs_to_the_folder_of_its_interpreter() {
        let of = |home: &str, base: Option<&str>| Recorded {
            home: Some(home.into()),
            base_prefix: base.map(PathBuf::from),
            ..Recorded::default()
        };
        for (home, base, prefix, belongs) in [
            ("/no/where/bin", None, "/no/where", true),
            ("/no/where/bin", None, "/no", true),
            ("/no/where/bin", None, "/no/where/Frameworks/3.11", true),
            ("/no/where/bin", None, "/usr", false),
            ("/no/where/bin", None, "/no/whereever", false),
            ("/no/where/bin", Some("/usr"), "/usr", true),
            ("/no/where/bin", Some("/usr"), "/no/where", false),
        ] {
            assert_eq!(of(home, base).is_from(Path::new(prefix)), belongs, "{home} {base:?} {prefix}");
        }
    }
}
