//! The house rules that a machine can check: data flows one way, and a room stays one room.

mod circles;
mod paths;

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
    found
}

/// The room of a source file: its folder under src, or its own name.
fn room(path: &Path) -> String {
    let inside = path.strip_prefix(root().join("src")).unwrap();
    inside.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

/// What each room may name: ARCHITECTURE.md, "The arrows".
const ARROWS: [(&str, &[&str]); 20] = [
    ("allow_list", &[]),
    ("allowance", &[]),
    ("buffer", &[]),
    ("cgroup", &[]),
    ("codec", &[]),
    ("outbox", &[]),
    ("call", &["codec"]),
    ("config", &["allow_list", "call", "cgroup", "codec"]),
    ("worker", &["allowance", "buffer", "call", "cgroup", "codec"]),
    ("pool", &["allowance", "call", "codec", "config", "worker"]),
    ("busy_poll", &[]),
    ("dispatcher", &["allowance", "busy_poll", "call", "config", "outbox", "pool"]),
    (
        "port",
        &[
            "allow_list",
            "allowance",
            "buffer",
            "call",
            "cgroup",
            "codec",
            "config",
            "dispatcher",
            "outbox",
            "pool",
            "worker",
        ],
    ),
    ("startup", &["allowance", "call", "cgroup", "config", "pool", "relay", "worker"]),
    ("shutdown", &["cgroup", "worker"]),
    ("relay", &["worker"]),
    ("telemetry", &["relay"]),
    ("watch", &["cgroup", "worker"]),
    ("server", &["call", "cgroup", "config", "dispatcher", "outbox", "port", "relay", "startup", "shutdown"]),
    (
        "cli",
        &[
            "call",
            "cgroup",
            "codec",
            "config",
            "dispatcher",
            "outbox",
            "port",
            "relay",
            "startup",
            "shutdown",
            "telemetry",
            "worker",
        ],
    ),
];

/// Whether a source file names a room: by itself, or in a group of imports.
fn names(text: &str, room: &str) -> bool {
    let groups = text.split("use crate::{").skip(1).filter_map(|rest| rest.split_once("};").map(|(group, _)| group));
    let mut grouped =
        groups.flat_map(|group| group.split(',')).map(|name| name.trim().split("::").next().unwrap_or_default());
    text.contains(&format!("crate::{room}")) || grouped.any(|name| name == room)
}

#[test]
fn no_room_names_one_above_it() {
    for path in files(&root().join("src"), "rs") {
        let room = room(&path);
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == room) else {
            assert!(room == "lib" || room == "main", "{room} has no place among the arrows");
            continue;
        };
        let text = fs::read_to_string(&path).unwrap();
        for (other, _) in ARROWS.iter().filter(|(other, _)| *other != room && !allowed.contains(other)) {
            assert!(!names(&text, other), "{} names {other}", path.display());
        }
    }
}

#[test]
fn the_first_line_of_each_file_says_what_it_is_for() {
    for path in files(&root().join("src"), "rs").into_iter().chain(files(&root().join("tests"), "rs")) {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//! "), "{}", path.display());
    }
    for path in files(&root().join("priv/python"), "py").into_iter().chain(files(&root().join("tests"), "py")) {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("\"\"\"") || text.starts_with("#!"), "{}", path.display());
    }
}

#[test]
fn no_file_is_so_long_that_it_must_be_two() {
    for path in files(&root().join("src"), "rs") {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 500, "{} has {lines} lines", path.display());
    }
}

/// The files that start, signal or reap processes: ARCHITECTURE.md, "Invariants".
const PROCESSES: [&str; 4] = ["watch.rs", "worker/orphans.rs", "worker/pidfd.rs", "worker/process.rs"];

#[test]
fn processes_are_started_signalled_and_reaped_in_few_files() {
    let acts = |text: &str| {
        let code = text.split("#[cfg(test)]").next().unwrap();
        [" kill_process", "::kill_process", "pidfd_send_signal(", "waitid(", ".spawn()?"]
            .iter()
            .any(|act| code.contains(act))
    };
    let source = root().join("src");
    let found = files(&source, "rs").into_iter().filter(|path| acts(&fs::read_to_string(path).unwrap()));
    let mut found: Vec<String> = found.map(|path| path.strip_prefix(&source).unwrap().display().to_string()).collect();
    found.sort();
    assert_eq!(found, PROCESSES);
}

#[test]
fn the_map_of_the_program_can_be_read_at_one_sitting() {
    let map = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    assert!(map.lines().count() <= 200, "ARCHITECTURE.md has {} lines", map.lines().count());
}
