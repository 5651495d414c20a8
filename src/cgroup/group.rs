//! A pool's own cgroup: created at its start, killed and removed at its end.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};
use tracing::debug;

use super::home::Home;
use super::place;

/// Why a cgroup cannot be set up as the options require.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The option `cgroup` cannot be met.
    #[error("the cgroup cannot be created: {0}")]
    Home(String),
    /// The option `pool_memory_limit` cannot be met.
    #[error("the memory of the pool cannot be limited: {0}")]
    MemoryLimit(String),
}

/// The cgroup of one pool. It stays until it is removed.
#[derive(Debug)]
pub struct Group {
    path: PathBuf,
    must: bool,
}

impl Group {
    /// Creates the cgroup of this process. Returns `None` if it must not have one, or if it does not need one and there
    /// is no place for it.
    ///
    /// `memory_limit` is the total number of bytes for everything that runs in it.
    pub fn make(home: &Home, memory_limit: Option<u64>) -> Result<Option<Self>, Unusable> {
        let group = match Self::make_in(home) {
            Ok(path) => Self { path, must: matches!(home, Home::At(_)) || memory_limit.is_some() },
            Err(why) if matches!(home, Home::At(_)) => return Err(Unusable::Home(why)),
            Err(why) if memory_limit.is_some() => return Err(Unusable::MemoryLimit(why)),
            Err(why) => {
                debug!("the pool has no cgroup of its own: {why}");
                return Ok(None);
            }
        };
        match memory_limit.map_or(Ok(()), |bytes| group.limit_memory(bytes)) {
            Ok(()) => Ok(Some(group)),
            Err(why) => {
                group.remove();
                Err(Unusable::MemoryLimit(why))
            }
        }
    }

    fn make_in(home: &Home) -> Result<PathBuf, String> {
        let directory = directory(home, "self")?;
        // Without this check, any directory would do.
        access(directory.join("cgroup.controllers"), Access::EXISTS)
            .map_err(|_| format!("{} is not a cgroup v2", directory.display()))?;
        // Moving a process requires permission in the common ancestor of both cgroups.
        let procs = directory.join("cgroup.procs");
        access(&procs, Access::WRITE_OK).map_err(|error| said(&procs, &error.into()))?;
        let names = names().ok_or("/proc/self/ns/pid cannot be read")?;
        end_leftovers(&directory, &names);
        let path = directory.join(format!("{names}{}", std::process::id()));
        match fs::create_dir(&path) {
            // A server with this pid was killed earlier and left it behind.
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(said(&path, &error)),
            _ => {}
        }
        // Needs Linux 5.14. It also kills what an earlier server with this pid has left.
        fs::write(path.join("cgroup.kill"), "1").map_err(|error| {
            let _ = fs::remove_dir(&path);
            said(&path.join("cgroup.kill"), &error)
        })?;
        Ok(path)
    }

    /// The cgroup of another server with this `cgroup` option, whether or not it has created one. Call it while that
    /// server runs.
    pub fn of(server: u32, home: &Home) -> Option<Self> {
        let directory = directory(home, &server.to_string()).ok()?;
        Some(Self { path: directory.join(format!("{}{server}", names()?)), must: false })
    }

    fn limit_memory(&self, bytes: u64) -> Result<(), String> {
        let limit = self.path.join("memory.max");
        if !limit.exists() {
            self.have_memory_counted()?;
        }
        fs::write(&limit, bytes.to_string()).map_err(|error| said(&limit, &error))
    }

    /// Enables in the parent cgroup what a limit needs.
    fn have_memory_counted(&self) -> Result<(), String> {
        let Some(above) = self.path.parent() else { return Ok(()) };
        let there_are = fs::read_to_string(above.join("cgroup.controllers")).unwrap_or_default();
        if !there_are.split_whitespace().any(|controller| controller == "memory") {
            return Err(format!("{} has no memory controller", above.display()));
        }
        let control = above.join("cgroup.subtree_control");
        fs::write(&control, "+memory").map_err(|error| match error.kind() {
            io::ErrorKind::ResourceBusy => {
                format!(
                    "{}; what runs in it must be in a cgroup below it (with systemd: DelegateSubgroup=), and the option cgroup name it",
                    said(&control, &error)
                )
            }
            _ => said(&control, &error),
        })
    }

    /// The file to write `0` to in order to move a process in.
    pub fn procs(&self) -> PathBuf {
        self.path.join("cgroup.procs")
    }

    /// Returns whether no worker may run outside of it, because the options require it.
    pub fn must(&self) -> bool {
        self.must
    }

    /// The file in which the kernel counts its out-of-memory kills; `None` if there is none.
    pub fn memory_events(&self) -> Option<PathBuf> {
        Some(self.path.join("memory.events")).filter(|path| path.exists())
    }

    /// Kills everything that runs in it.
    pub fn kill(&self) {
        // This can only fail if the group does not exist.
        let _ = fs::write(self.path.join("cgroup.kill"), "1");
    }

    /// Removes it, with any cgroups that user code has made in it. Returns false if something still runs in it.
    pub fn remove(&self) -> bool {
        let mut all = vec![self.path.clone()];
        let mut next = 0;
        while let Some(path) = all.get(next) {
            let below = fs::read_dir(path).into_iter().flatten().flatten();
            let below: Vec<PathBuf> = below.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
            all.extend(below);
            next += 1;
        }
        all.iter().rev().for_each(|path| drop(fs::remove_dir(path)));
        !self.path.exists()
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

fn directory(home: &Home, pid: &str) -> Result<PathBuf, String> {
    match home {
        Home::Auto => place::delegated_to(pid),
        Home::At(path) => Ok(path.clone()),
        Home::None => Err("the option cgroup is none".to_owned()),
    }
}

fn said(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}

/// The prefix of a group's name, before the pid of the server. Pids belong to a namespace, and several namespaces may
/// share a cgroup.
fn names() -> Option<String> {
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    let digits: String = namespace.to_str()?.chars().filter(char::is_ascii_digit).collect();
    Some(format!("portpool-{digits}-"))
}

/// Cleans up after servers that were killed without a watch. What is still dying is left to the next server.
fn end_leftovers(directory: &Path, names: &str) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let server = entry.file_name().to_str().and_then(|name| name.strip_prefix(names)?.parse().ok());
        if server.and_then(Pid::from_raw).is_some_and(|server| test_kill_process(server) == Err(Errno::SRCH)) {
            let left = Group { path: entry.path(), must: false };
            left.kill();
            left.remove();
        }
    }
}
