//! Workers forked from a template behave as if they had imported everything themselves. docs/worker_protocol.md 5.

use std::collections::HashSet;
use std::fs;
use std::time::{Duration, Instant};

use eetf::Term;
use rustix::process::Signal;

use crate::harness::processes::{assert_dies, is_alive, signal};
use crate::harness::term::{atom, count, elements, get, int, list, map, number, string, text, tuple};
use crate::harness::{SOON, Server, unique};

/// The options of a pool whose workers are forked after these modules were imported.
fn preload(size: u64, modules: &[&str]) -> Vec<(&'static str, Term)> {
    vec![("size", int(size)), ("wait", atom("all")), ("preload", list(modules.iter().map(|module| text(module))))]
}

fn start(size: u64, modules: &[&str]) -> Server {
    Server::start(preload(size, modules))
}

fn pid_of(server: &mut Server) -> u32 {
    u32::try_from(number(&server.call(("echo", "pid"), []).unwrap())).unwrap()
}

/// The template's pid, by its title.
fn template_of(server: &Server) -> Option<u32> {
    let is_template = |pid: &u32| {
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        command.split(|byte| *byte == 0).any(|argument| argument == b"portpool-template") && parent(*pid) == server.pid()
            // A worker that it has forked has its title too, and leads a group like it; only templates count down from the end.
            && token(*pid).contains(".18446744073709551")
    };
    server.mark().bearers().into_iter().find(is_template)
}

fn stat(pid: u32, field: usize) -> String {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let rest = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    rest.split(' ').nth(field).unwrap_or_default().to_owned()
}

fn parent(pid: u32) -> u32 {
    stat(pid, 1).parse().unwrap_or(0)
}

/// The token as the environment of the process shows it.
fn token(pid: u32) -> String {
    let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let entry = environ.split(|byte| *byte == 0).find_map(|entry| entry.strip_prefix(b"PORTPOOL_WORKER="));
    String::from_utf8(entry.unwrap_or_default().to_vec()).unwrap()
}

fn row(server: &mut Server, pid: u32) -> Term {
    let workers = elements(&get(&server.status(), "workers"));
    workers.into_iter().find(|row| get(row, "pid") == int(u64::from(pid))).expect("no such worker")
}

/// Kills an idle worker and waits until this many are idle without it.
fn replace(server: &mut Server, pid: u32, idle: u64) {
    signal(pid, Signal::KILL);
    server.wait_for_status("replaced", |status| {
        let pids: Vec<Term> = elements(&get(status, "workers")).iter().map(|row| get(row, "pid")).collect();
        count(status, "idle") == idle && !pids.contains(&int(u64::from(pid)))
    });
}

#[test]
fn modules_are_imported_once_and_workers_are_children_of_the_server() {
    let mut server = start(3, &["forked"]);
    let template = template_of(&server).expect("no template");
    let mut pids = HashSet::new();
    for _ in 0..3 {
        let pid = pid_of(&mut server);
        assert_eq!(server.call(("forked", "imported_by"), []).unwrap(), int(u64::from(template)));
        assert_eq!(parent(pid), server.pid());
        assert_eq!(stat(pid, 2), pid.to_string(), "it leads a group of its own");
        pids.insert(pid);
        replace(&mut server, pid, 3);
    }
    assert!(!pids.contains(&template));
}

#[test]
fn a_forked_worker_has_its_own_token_and_so_have_its_children() {
    let mut server = start(1, &["forked"]);
    let pid = pid_of(&mut server);
    let id = number(&get(&row(&mut server, pid), "id"));
    let expected = format!("{}.{id:020}", server.pid());
    assert_eq!(token(pid), expected);
    let seen = server.call(("forked", "tokens"), []).unwrap();
    let seen: Vec<String> = elements(&seen).iter().map(string).collect();
    assert_eq!(seen, vec![expected; 4], "os.environ, getenv, a child that was forked, one that was started");
}

#[test]
fn the_daemon_of_a_forked_worker_goes_with_it_and_that_of_another_stays() {
    let mut server = start(2, &["forked"]);
    let mut daemons = Vec::new();
    let mut owners = Vec::new();
    while owners.len() < 2 {
        // Both are idle: the one that was used last is next, so the other is reached by keeping the first one busy.
        let answer = server.call(("forked", "daemon"), []).unwrap();
        let pair: Vec<u32> = elements(&answer).iter().map(|pid| u32::try_from(number(pid)).unwrap()).collect();
        owners.push(pair[0]);
        daemons.push(pair[1]);
        if owners.len() == 1 {
            server.cast(("echo", "forever"), [], &[]);
            server.wait_for_status("busy", |status| count(status, "busy") == 1);
        }
    }
    assert_ne!(owners[0], owners[1]);
    signal(owners[1], Signal::KILL);
    assert_dies(daemons[1]);
    server.wait_for_status("replaced", |status| count(status, "idle") == 1);
    assert!(is_alive(daemons[0]), "the daemon of a living worker is not touched");
}

#[test]
fn what_a_forked_worker_prints_is_its_own() {
    let mut server = Server::silent();
    let mut options = preload(1, &["prints_at_import", "prints"]);
    options.push(("env", eetf::Map::from([(text("PYTHONUNBUFFERED"), atom("false"))]).into()));
    server.hello(options);
    server.receive();
    assert_eq!(string(&server.call(("prints", "everywhere"), []).unwrap()), "fine");
    server.close_stdin();
    let log = server.wait().1;
    let at_import: Vec<&str> = log.lines().filter(|line| line.contains("at import")).collect();
    assert_eq!(at_import.len(), 2, "once, and not again by each worker: {log}");
    assert!(at_import.iter().all(|line| line.contains("worker=0")), "by the template: {log}");
    assert_eq!(log.matches("from C").count(), 1, "{log}");
    assert!(log.lines().any(|line| line.contains("from print") && line.contains("call=")), "{log}");
}

#[test]
fn forked_workers_do_not_share_their_random_numbers() {
    let mut server = start(2, &["forked"]);
    let first = server.call(("forked", "random_numbers"), []).unwrap();
    let pid = pid_of(&mut server);
    replace(&mut server, pid, 2);
    let second = server.call(("forked", "random_numbers"), []).unwrap();
    let (first, second) = (elements(&first), elements(&second));
    assert_ne!(first[0], second[0], "the module's own");
    assert_ne!(first[1], second[1], "one that was made without a seed");
    assert_eq!(first[2], second[2], "one that was made with a seed");
    assert_eq!(first[3], second[3], "one that was given a seed");
}

#[test]
fn after_fork_functions_run_in_each_worker_before_init() {
    let mut options = preload(1, &["starts"]);
    options.push(("warmup", tuple([atom("starts"), text("warm_up"), list([text("a")])])));
    options.push(("init", tuple([atom("starts"), text("set_up"), list([text("b")])])));
    let mut server = Server::start(options);
    for _ in 0..2 {
        let done = server.call(("starts", "what_was_done"), []).unwrap();
        let done: Vec<String> = elements(&done).iter().map(string).collect();
        assert_eq!(done, ["imported", "warmup a", "after_fork", "after_fork_too", "init b"]);
        let pid = pid_of(&mut server);
        replace(&mut server, pid, 1);
    }
}

#[test]
fn numeric_threads_are_one_in_the_template_and_the_pools_in_workers() {
    let mut options = preload(1, &["forked"]);
    options.push((
        "env",
        eetf::Map::from([(text("OMP_NUM_THREADS"), text("3")), (text("MKL_NUM_THREADS"), atom("false"))]).into(),
    ));
    let mut server = Server::start(options);
    let seen = server.call(("forked", "numeric_threads"), []).unwrap();
    assert_eq!(elements(&seen), [text("1"), text("3"), atom("nil")], "at import, in the worker, one that is not set");
}

/// Workers are there all the same, and the log says once why they are not forked.
fn assert_spawned(modules: &[&str], says: &str) {
    let mut server = Server::silent();
    server.hello(preload(2, modules));
    server.receive();
    let pid = pid_of(&mut server);
    assert_eq!(server.call(("forked", "imported_by"), []).unwrap(), int(u64::from(pid)), "it has imported by itself");
    replace(&mut server, pid, 2);
    server.close_stdin();
    let log = server.wait().1;
    assert_eq!(log.matches("workers start without a template").count(), 1, "{log}");
    assert!(log.contains(says), "{log}");
}

#[test]
fn with_a_thread_in_the_template_workers_are_started_on_their_own() {
    assert_spawned(&["forked", "starts_a_thread"], "it has 2 threads");
}

#[test]
fn with_a_gpu_open_in_the_template_workers_are_started_on_their_own() {
    // Not a device: a file whose name begins like one.
    if fs::write("/dev/nvidia-portpool-test", "").is_err() {
        println!("this account makes no files in /dev");
        return;
    }
    assert_spawned(&["forked", "opens_a_gpu"], "has opened /dev/nvidia-portpool-test");
    fs::remove_file("/dev/nvidia-portpool-test").unwrap();
}

#[test]
fn with_a_template_that_cannot_fork_workers_are_started_on_their_own() {
    let mut server = Server::silent();
    server.hello(preload(2, &["forked", "cannot_fork"]));
    server.receive();
    let pid = pid_of(&mut server);
    assert_eq!(server.call(("forked", "imported_by"), []).unwrap(), int(u64::from(pid)), "it has imported by itself");
    server.close_stdin();
    let log = server.wait().1;
    assert!(log.contains("workers start without a template: it cannot fork: [Errno 11]"), "{log}");
}

#[test]
fn a_template_that_dies_is_replaced_and_its_workers_live_on() {
    let mut server = start(1, &["forked"]);
    let (template, pid) = (template_of(&server).unwrap(), pid_of(&mut server));
    signal(template, Signal::KILL);
    assert_dies(template);
    assert_eq!(pid_of(&mut server), pid);
    assert_eq!(server.call(("forked", "imported_by"), []).unwrap(), int(u64::from(template)));
    replace(&mut server, pid, 1);
    let alone = pid_of(&mut server);
    assert_eq!(server.call(("forked", "imported_by"), []).unwrap(), int(u64::from(alone)), "started on its own");
    let end = Instant::now() + SOON;
    loop {
        let pid = pid_of(&mut server);
        if server.call(("forked", "imported_by"), []).unwrap() != int(u64::from(pid)) {
            break;
        }
        assert!(Instant::now() < end, "no new template");
        replace(&mut server, pid, 1);
    }
    assert!(template_of(&server).is_some_and(|new| new != template));
}

#[test]
fn a_template_that_hangs_is_given_up() {
    let mut server = start(1, &["forked"]);
    let (template, pid) = (template_of(&server).unwrap(), pid_of(&mut server));
    signal(template, Signal::STOP);
    replace(&mut server, pid, 1);
    assert_dies(template);
    let alone = pid_of(&mut server);
    assert_eq!(server.call(("forked", "imported_by"), []).unwrap(), int(u64::from(alone)));
}

#[test]
fn a_template_that_dies_at_import_leaves_it_to_the_workers_to_say_why() {
    let mut server = Server::silent();
    server.hello([("size", int(1)), ("wait", atom("none")), ("preload", list([text("dies_at_import")]))]);
    server.receive();
    let status = server.wait_for_status("a start error", |status| get(status, "last_start_error") != atom("nil"));
    let error = get(&status, "last_start_error");
    assert_eq!(get(&get(&error, "detail"), "status"), int(9), "{error}");
}

#[test]
fn an_import_that_does_not_end_says_where_it_hangs() {
    let path = std::env::temp_dir().join(format!("portpool-test-{}-hangs", std::process::id()));
    let mut server = Server::silent();
    let env = eetf::Map::from([(text("SAYS"), text(path.to_str().unwrap()))]);
    server.hello([
        ("size", int(1)),
        ("wait", atom("none")),
        ("env", env.into()),
        ("start_timeout", int(6000)),
        ("preload", list([text("never_imports")])),
    ]);
    server.receive();
    let status = server.wait_for_status("a start error", |status| get(status, "last_start_error") != atom("nil"));
    let error = get(&status, "last_start_error");
    assert!(
        string(&get(&error, "message")).contains("did not finish within 5400 ms (nine tenths of start_timeout)"),
        "{error}"
    );
    assert!(string(&get(&get(&error, "detail"), "traceback")).contains("never_imports.py\", line 9"), "{error}");
    fs::remove_file(path).unwrap();
}

#[test]
fn the_template_heals_when_its_module_is_mended() {
    let folder = std::env::temp_dir().join(format!("portpool-test-{}-mended", std::process::id()));
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("to_mend.py"), "raise RuntimeError('not yet')\n").unwrap();
    let mut server = Server::silent();
    let path = list([text(crate::harness::workers().to_str().unwrap()), text(folder.to_str().unwrap())]);
    server.hello([
        ("size", int(1)),
        ("wait", atom("none")),
        ("python_path", path),
        ("preload", list([text("to_mend"), text("forked")])),
    ]);
    server.receive();
    let status = server.wait_for_status("a start error", |status| get(status, "last_start_error") != atom("nil"));
    assert!(string(&get(&get(&status, "last_start_error"), "message")).contains("RuntimeError: not yet"));
    fs::write(folder.join("to_mend.py"), "mended = True\n").unwrap();
    server.wait_for_status("healed", |status| count(status, "idle") == 1);
    let template = template_of(&server).expect("no template");
    assert_eq!(server.call(("forked", "imported_by"), []).unwrap(), int(u64::from(template)));
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn workers_that_die_as_fast_as_they_are_forked_are_all_reaped() {
    let mut server = start(4, &["forked"]);
    for _ in 0..50 {
        // It may fail: a worker that is being killed may have taken it.
        if let Ok(pid) = server.call(("echo", "pid"), []) {
            signal(u32::try_from(number(&pid)).unwrap(), Signal::KILL);
        }
    }
    server.wait_for_status("replaced", |status| count(status, "idle") == 4);
    let template = template_of(&server).unwrap();
    let end = Instant::now() + Duration::from_secs(5);
    loop {
        let own = fs::read_to_string(format!("/proc/{0}/task/{0}/children", server.pid())).unwrap();
        let left: Vec<&str> = own.split_whitespace().collect();
        if left.len() == 5 {
            assert!(left.contains(&template.to_string().as_str()));
            return;
        }
        assert!(Instant::now() < end, "four workers and a template, not {left:?}");
    }
}

#[test]
fn forked_workers_die_with_a_server_that_gets_sigkill() {
    let mut server = start(2, &["forked", "hangs"]);
    let path = std::env::temp_dir().join(format!("portpool-test-{}-{}", std::process::id(), unique()));
    server.cast(("hangs", "in_c_holding_the_gil"), [text(path.to_str().unwrap())], &[]);
    server.wait_for_status("busy", |_| path.exists());
    let pid: u32 = fs::read_to_string(&path).unwrap().parse().unwrap();
    fs::remove_file(path).unwrap();
    let template = template_of(&server).unwrap();
    server.signal(Signal::KILL);
    assert_dies(pid);
    assert_dies(template);
    server.mark().assert_gone();
}

#[test]
fn a_template_that_is_ended_is_not_taken_for_what_it_left_behind() {
    // A large process takes its time to die.
    let mut server = start(2, &["is_large"]);
    for _ in 0..10 {
        let id = server.request("reload", []);
        let (to, outcome) = server.reply();
        assert_eq!((to, outcome), (id, Ok(atom("reloaded"))));
    }
    let id = server.request("drain", [map([])]);
    assert_eq!(server.reply().0, id);
    let (status, said) = server.wait();
    assert!(status.success());
    assert!(!said.contains("left behind"), "{said}");
}
