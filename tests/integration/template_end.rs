//! What a template has made that is undone at exit is undone once, by the template. docs/worker_protocol.md 5.10.

use std::fs;
use std::path::Path;

use eetf::Term;

use crate::harness::processes::{assert_dies, is_alive};
use crate::harness::term::{atom, count, elements, int, list, map, number, string, text};
use crate::harness::{Server, Signpost};

const MODULE: &str = "ends_with_its_template";
const KINDS: [&str; 4] = ["atexit", "finalize", "multiprocessing", "threading"];

fn start(path: &Signpost, env: &[(&str, Term)]) -> Server {
    let env = [("EXITS", path.text())].into_iter().chain(env.iter().cloned());
    let preload = ("preload", list([text(MODULE)]));
    Server::start([("size", int(1)), ("wait", atom("all")), preload, ("env", map(env))])
}

fn pid(server: &mut Server) -> u32 {
    u32::try_from(number(&server.call(("echo", "pid"), []).unwrap())).unwrap()
}

fn said(path: &Signpost) -> Vec<String> {
    fs::read_to_string(path.path()).unwrap_or_default().lines().map(str::to_owned).collect()
}

fn both() -> Term {
    list([atom("true"), atom("true")])
}

#[test]
fn a_worker_undoes_what_it_has_made_and_its_template_the_rest_once() {
    let path = Signpost::new();
    let mut server = Server::start([
        ("size", int(1)),
        ("wait", atom("all")),
        ("max_calls", int(3)),
        ("preload", list([text(MODULE)])),
        ("env", map([("EXITS", path.text())])),
    ]);
    let names: Vec<String> = elements(&server.call((MODULE, "names"), []).unwrap()).iter().map(string).collect();
    let made = elements(&server.call((MODULE, "makes_its_own"), []).unwrap());
    let worker = number(&made[0]);
    assert_eq!(server.call((MODULE, "paths"), []).unwrap(), both());
    // Its successor is there when it has ended.
    assert_ne!(u64::from(pid(&mut server)), worker);
    server.wait_for_status("it is gone", |status| count(status, "stopping") == 0);
    assert_eq!(server.call((MODULE, "paths"), []).unwrap(), both(), "the next workers need them");
    let first = said(&path);
    for kind in KINDS {
        assert_eq!(
            first.iter().filter(|line| **line == format!("worker.{kind} {worker}")).count(),
            1,
            "{kind} {first:?}"
        );
    }
    for word in ["template.logging:hello", "worker.logging:hello", "worker.logging:close"] {
        assert!(first.contains(&format!("{word} {worker}")), "{word} {first:?}");
    }
    let of_template: Vec<&String> = first.iter().filter(|line| line.starts_with("template.")).collect();
    assert_eq!(of_template, [&format!("template.logging:hello {worker}")], "{first:?}");
    for name in &made[1..] {
        assert!(!Path::new(&string(name)).exists(), "the worker's own are gone");
    }
    assert_eq!(server.call((MODULE, "drops"), []).unwrap(), both());
    server.drain();
    let (status, log) = server.wait();
    assert!(status.success() && !log.contains("Traceback"), "{log}");
    let last = said(&path);
    let mut ended = Vec::new();
    for kind in KINDS {
        let lines: Vec<&String> = last.iter().filter(|line| line.starts_with(&format!("template.{kind} "))).collect();
        assert_eq!(lines.len(), 1, "{kind}: {last:?}");
        ended.push(lines[0].rsplit_once(' ').unwrap().1.to_owned());
    }
    assert!(
        ended.iter().all(|pid| *pid == ended[0] && *pid != worker.to_string()),
        "one process, the template: {last:?}"
    );
    names.iter().for_each(|name| assert!(!Path::new(name).exists(), "{name}"));
    assert_eq!(take_buffered(&path), "written by the template\nwritten by a worker\n");
}

#[test]
fn a_worker_that_ends_leaves_processes_of_its_template_alone() {
    let path = Signpost::new();
    let mut server = start(&path, &[("WITH_A_CHILD", text("1"))]);
    let child = u32::try_from(number(&server.call((MODULE, "daemon"), []).unwrap())).unwrap();
    for _ in 0..2 {
        recycle_by_resize(&mut server);
        assert!(is_alive(child));
    }
    take_buffered(&path);
    server.drain();
    server.wait();
    assert_dies(child);
}

/// What a file has got in which the template has left something in a buffer.
fn take_buffered(path: &Signpost) -> String {
    let file = format!("{}.buffered", path.path().display());
    let text = fs::read_to_string(&file).unwrap();
    fs::remove_file(&file).unwrap();
    text
}

/// Has the worker retire, and another one come from the same template.
fn recycle_by_resize(server: &mut Server) {
    for (size, idle) in [(2, 2), (1, 1)] {
        server.request("resize", [int(size)]);
        assert!(server.reply().1.is_ok());
        server.wait_for_status("as many", |status| count(status, "idle") == idle && count(status, "stopping") == 0);
    }
}
