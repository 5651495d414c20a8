//! The environment that this program is installed in, if it is in one. docs/protocol.md 8.13

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The environment that a program is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnVenv {
    /// A virtual environment: its directory.
    Venv(PathBuf),
    /// A conda environment: its interpreter.
    Conda(PathBuf),
}

/// The environment whose `bin` has this program, as it was started: a link elsewhere that leads there is not in it. That
/// is how tools install programs for use with any Python (`pipx`, `uv tool`).
pub fn own_venv() -> Option<OwnVenv> {
    let started = started_as(&env::args_os().next()?)?;
    // The name may be anything.
    if fs::canonicalize(&started).ok()? != fs::canonicalize(env::current_exe().ok()?).ok()? {
        return None;
    }
    venv_around(&started)
}

/// The path that a shell or an owner has started by this name.
fn started_as(name: &OsStr) -> Option<PathBuf> {
    if name.as_bytes().contains(&b'/') {
        return std::path::absolute(name).ok();
    }
    let path = env::var_os("PATH")?;
    let found = env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())?;
    std::path::absolute(found).ok()
}

fn venv_around(program: &Path) -> Option<OwnVenv> {
    let bin = program.parent().filter(|bin| bin.ends_with("bin"))?;
    let dir = bin.parent()?;
    if dir.join("pyvenv.cfg").is_file() {
        return Some(OwnVenv::Venv(dir.to_owned()));
    }
    dir.join("conda-meta").is_dir().then(|| OwnVenv::Conda(bin.join("python")))
}
