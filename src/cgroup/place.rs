//! Where this machine has cgroups (v2), and which of them is delegated to a process.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::getxattr;

/// A manager marks a cgroup with one of these when it delegates it: systemd uses the second, or the first for users.
const MARKS: [&str; 2] = ["user.delegate", "trusted.delegate"];

/// The directory of this process's own cgroup; `None` without cgroup v2, or if it is not visible.
pub fn own() -> Option<PathBuf> {
    Some(Place::of("self")?.directory())
}

/// The directory of a process's own cgroup if it is delegated; otherwise, why not. An ancestor may be delegated to
/// somebody else: everything that a user runs is below the cgroup of the user's systemd.
pub(super) fn delegated_to(pid: &str) -> Result<PathBuf, String> {
    let place = Place::of(pid).ok_or("no cgroup v2 is visible")?;
    let own = place.directory();
    // The root of a cgroup namespace, or of the hierarchy, belongs to the processes in it.
    if place.is_root() || is_marked(&own) {
        return Ok(own);
    }
    Err(format!("{} has not been delegated (with systemd: Delegate=yes)", own.display()))
}

fn is_marked(path: &Path) -> bool {
    MARKS.into_iter().any(|mark| {
        let mut value = [0; 2];
        getxattr(path, mark, &mut value).is_ok_and(|length| value.get(..length) == Some(b"1"))
    })
}

/// A cgroup: the mount point of the hierarchy, and the path in it.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    mount: PathBuf,
    path: PathBuf,
}

impl Place {
    fn of(pid: &str) -> Option<Self> {
        let cgroups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        Self::read(&cgroups, &mounts)
    }

    /// From /proc/PID/cgroup and /proc/PID/mountinfo.
    fn read(cgroups: &str, mounts: &str) -> Option<Self> {
        let path = Path::new(cgroups.lines().find_map(|line| line.strip_prefix("0::"))?);
        mounts.lines().find_map(|line| {
            let (mount, system) = line.split_once(" - ")?;
            if !system.starts_with("cgroup2 ") {
                return None;
            }
            let mut fields = mount.split(' ').skip(3);
            let (root, mount) = (fields.next()?, fields.next()?);
            // A container may see only a part of the hierarchy.
            Some(Self { mount: mount.into(), path: path.strip_prefix(root).ok()?.to_owned() })
        })
    }

    fn directory(&self) -> PathBuf {
        self.mount.join(&self.path)
    }

    fn is_root(&self) -> bool {
        self.path.as_os_str().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "31 24 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
                          40 31 0:37 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory\n\
                          41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:10 - cgroup2 cgroup2 rw\n";

    fn place(cgroups: &str, mounts: &str) -> Option<(String, bool)> {
        let place = Place::read(cgroups, mounts)?;
        let is_root = place.is_root();
        // The root directory ends with a slash, which paths ignore.
        Some((place.directory().components().collect::<PathBuf>().display().to_string(), is_root))
    }

    #[test]
    fn the_directory_is_where_the_second_version_is_mounted() {
        let unified = "35 24 0:30 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
        assert_eq!(place("0::/a.slice/b\n", unified), Some(("/sys/fs/cgroup/a.slice/b".into(), false)));
        assert_eq!(place("4:memory:/x\n0::/\n", HYBRID), Some(("/sys/fs/cgroup/unified".into(), true)));
    }

    #[test]
    fn a_container_that_sees_a_part_of_the_hierarchy_has_its_paths_in_that() {
        let part = "35 24 0:30 /docker/7 /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
        assert_eq!(place("0::/docker/7/x\n", part), Some(("/sys/fs/cgroup/x".into(), false)));
        assert_eq!(place("0::/docker/8\n", part), None);
    }

    #[test]
    fn without_the_second_version_there_is_none() {
        assert_eq!(place("4:memory:/x\n", HYBRID), None);
        assert_eq!(place("0::/\n", "31 24 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"), None);
    }
}
