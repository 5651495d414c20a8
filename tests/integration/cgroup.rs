//! The pool's own cgroup: what is in it, and that it goes away with everything in it. docs/protocol.md 7.2 and 13.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use portpool::cgroup;
use rustix::fs::{XattrFlags, setxattr};
use rustix::process::Signal;

use crate::harness::processes::{assert_dies, is_alive};
use crate::harness::term::{atom, element, elements, get, int, list, string, text};
use crate::harness::{Failure, SOON, Server, Signpost, program, unique};

/// A cgroup of this test, removed with it.
struct Own(PathBuf);

impl Own {
    /// None where this user may not make one.
    fn make() -> Option<Self> {
        let path = cgroup::own()?.join(format!("portpool-test-{}-{}", std::process::id(), unique()));
        fs::create_dir(&path).ok()?;
        Some(Self(path))
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }

    fn delegate(&self) {
        setxattr(&self.0, "user.delegate", b"1", XattrFlags::empty()).unwrap();
    }

    /// From now on cgroups in it are of no use to whole processes.
    fn take_no_processes(&self) {
        let threads = self.0.join("threads");
        fs::create_dir(&threads).unwrap();
        fs::write(threads.join("cgroup.type"), "threaded").unwrap();
    }

    /// A server that lives in it.
    fn server(&self) -> Server {
        let mut shell = Command::new("sh");
        shell.args(["-c", "echo $$ >\"$1/cgroup.procs\" && exec \"$0\" serve"]).arg(program()).arg(&self.0);
        Server::by(shell)
    }

    fn groups(&self) -> Vec<PathBuf> {
        groups_in(&self.0)
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = fs::remove_dir(self.0.join("threads"));
        let end = Instant::now() + SOON;
        while fs::remove_dir(&self.0).is_err() && Instant::now() < end {}
    }
}

/// The cgroups of pools in this one.
fn groups_in(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().flatten().map(|entry| entry.path());
    entries
        .filter(|path| path.is_dir() && path.file_name().unwrap().to_str().unwrap().starts_with("portpool-"))
        .collect()
}

/// What tests of this file need, or why they cannot be run here.
pub fn missing() -> Option<&'static str> {
    Own::make().is_none().then_some("this user may not make a cgroup v2")
}

/// What a limit of memory needs beside that.
pub fn memory_missing() -> Option<&'static str> {
    let counted = |own: Own| {
        // It may have it for the asking; where it has it already, or cannot, the next look tells.
        let _ = fs::write(own.0.parent()?.join("cgroup.subtree_control"), "+memory");
        fs::read_to_string(own.0.join("cgroup.controllers")).ok()
    };
    match Own::make().and_then(counted) {
        Some(controllers) if controllers.contains("memory") => None,
        _ => Some("there is no memory controller in a cgroup v2 of this user"),
    }
}

fn pool_in<'a>(own: &Own, options: impl IntoIterator<Item = (&'a str, eetf::Term)>) -> Server {
    let place = [("size", int(2)), ("wait", atom("all")), ("cgroup", text(own.path()))];
    Server::start(place.into_iter().chain(options))
}

fn refused(options: [(&str, eetf::Term); 2]) -> Failure {
    let mut server = Server::silent();
    server.hello(options);
    let error = Failure::of(element(&server.receive(), 1));
    assert_eq!(error.reason(), "bad_request");
    error
}

fn pid_at(path: &Signpost) -> u32 {
    let end = Instant::now() + SOON;
    while !path.is_up() {
        assert!(Instant::now() < end, "it does not say its pid");
    }
    fs::read_to_string(path.path()).unwrap().parse().unwrap()
}

#[test]
fn workers_and_what_they_start_are_in_the_cgroup_of_the_pool_which_goes_with_it() {
    let Some(own) = Own::make() else { return };
    for preload in [vec![], vec![text("bounded")]] {
        let mut server = pool_in(&own, [("preload", list(preload))]);
        let groups = own.groups();
        assert_eq!(groups.len(), 1, "{groups:?}");
        let name = groups[0].file_name().unwrap().to_str().unwrap();
        for _ in 0..10 {
            let of_worker = string(&server.call(("bounded", "cgroup"), []).unwrap());
            assert!(of_worker.ends_with(name), "{of_worker}, {name}");
        }
        let hidden = Signpost::new();
        server.call(("bounded", "hides"), [hidden.text()]).unwrap();
        let hidden = pid_at(&hidden);
        assert!(
            fs::read_to_string(groups[0].join("cgroup.procs")).unwrap().lines().any(|pid| pid == hidden.to_string())
        );
        let own_cgroup = fs::read_to_string(format!("/proc/{}/cgroup", server.pid())).unwrap();
        assert!(!own_cgroup.contains(name), "the server is not in it: it is to see to its end");
        server.close_stdin();
        assert!(server.wait().0.success());
        assert!(!is_alive(hidden));
        assert_eq!(own.groups(), [] as [PathBuf; 0]);
    }
}

#[test]
fn a_process_that_was_moved_into_the_cgroup_and_cgroups_below_it_go_too() {
    let Some(own) = Own::make() else { return };
    let mut server = pool_in(&own, []);
    let group = own.groups().remove(0);
    let mut stranger = Command::new("sleep").arg("3600").spawn().unwrap();
    fs::write(group.join("cgroup.procs"), stranger.id().to_string()).unwrap();
    let mount =
        group.to_str().unwrap().strip_suffix(&string(&server.call(("bounded", "cgroup"), []).unwrap())).unwrap();
    server.call(("bounded", "makes_a_cgroup_below"), [text(mount)]).unwrap();
    server.close_stdin();
    let (status, log) = server.wait();
    assert!(status.success(), "{log}");
    assert!(!group.exists(), "{log}");
    assert!(!stranger.wait().unwrap().success());
}

#[test]
fn the_watch_ends_all_that_is_in_the_cgroup_of_a_server_that_got_sigkill() {
    let Some(own) = Own::make() else { return };
    let mut server = pool_in(&own, []);
    let pid = server.pid().to_string();
    let mut watch = Command::new(program());
    watch.args(["watch", &pid, "--cgroup", own.path()]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut watch = watch.spawn().unwrap();
    let hidden = Signpost::new();
    server.call(("bounded", "hides"), [hidden.text()]).unwrap();
    let hidden = pid_at(&hidden);
    server.signal(Signal::KILL);
    server.wait();
    assert!(watch.wait().unwrap().success());
    watch.stdout.take().unwrap().read_to_string(&mut String::new()).unwrap();
    // It has no mark: nothing but the cgroup tells whose it is.
    assert_dies(hidden);
    assert_eq!(own.groups(), [] as [PathBuf; 0]);
}

#[test]
fn what_a_server_without_a_watch_has_left_goes_when_the_next_one_starts() {
    let Some(own) = Own::make() else { return };
    let mut server = pool_in(&own, []);
    let hidden = Signpost::new();
    server.call(("bounded", "hides"), [hidden.text()]).unwrap();
    let hidden = pid_at(&hidden);
    let living = pool_in(&own, []);
    server.signal(Signal::KILL);
    server.wait();
    assert!(is_alive(hidden) && own.groups().len() == 2);
    drop(pool_in(&own, []));
    assert_dies(hidden);
    drop(pool_in(&own, []));
    assert_eq!(own.groups().len(), 1, "that of a server that lives stays");
    drop(living);
    assert_eq!(own.groups(), [] as [PathBuf; 0]);
}

#[test]
fn without_being_told_a_server_uses_a_cgroup_that_has_been_delegated_to_it_and_no_other() {
    let Some(own) = Own::make() else { return };
    let groups = |options: Vec<(&str, eetf::Term)>| {
        let mut server = own.server();
        server.hello([("size", int(1))].into_iter().chain(options));
        let ready = server.receive();
        assert_eq!(crate::harness::term::name(&ready), "ready", "{ready}");
        own.groups().len()
    };
    assert_eq!(groups(vec![]), 0, "it has not been delegated");
    own.delegate();
    assert_eq!(groups(vec![]), 1);
    assert_eq!(groups(vec![("cgroup", atom("none"))]), 0);
    assert_eq!(own.groups(), [] as [PathBuf; 0]);
}

#[test]
fn a_cgroup_that_cannot_be_used_is_refused_with_the_cause() {
    for (path, says) in [("/", "/ is not a cgroup v2"), ("/no/such/cgroup", "/no/such/cgroup is not a cgroup v2")] {
        let error = refused([("cgroup", text(path)), ("size", int(1))]);
        assert_eq!(error.detail("option"), text("cgroup"));
        assert!(error.message().contains(says), "{}", error.message());
    }
    let error = refused([("cgroup", text("portpool.slice")), ("size", int(1))]);
    assert!(error.message().contains("auto, none or the absolute path of a cgroup"), "{}", error.message());
}

#[test]
fn a_limit_for_the_memory_of_the_pool_that_cannot_be_kept_is_refused() {
    let limit = ("pool_memory_limit", int(1 << 30));
    let error = refused([limit.clone(), ("cgroup", atom("none"))]);
    assert_eq!(error.detail("option"), text("pool_memory_limit"));
    assert!(error.message().contains("the option cgroup is none"), "{}", error.message());
    if memory_missing().is_none() {
        return;
    }
    let Some(own) = Own::make() else { return };
    let error = refused([limit, ("cgroup", text(own.path()))]);
    assert_eq!(error.detail("option"), text("pool_memory_limit"));
    assert!(error.message().contains("has no memory controller"), "{}", error.message());
    assert_eq!(own.groups(), [] as [PathBuf; 0]);
}

#[test]
fn beyond_the_limit_for_the_memory_of_the_pool_a_worker_is_killed_and_its_caller_hears_why() {
    if memory_missing().is_some() {
        return;
    }
    let Some(own) = Own::make() else { return };
    let mut server = pool_in(&own, [("pool_memory_limit", int(256 << 20))]);
    let error = server.call(("bounded", "fills"), [int(100)]).unwrap_err();
    assert_eq!((error.reason(), error.detail("oom")), ("worker_exit".into(), atom("true")), "{error:?}");
    let status = server.wait_for_status("replaced", |status| get(status, "idle") == int(2));
    assert_eq!(get(&status, "restarts"), int(1));
}

#[test]
fn workers_that_cannot_move_into_a_cgroup_do_not_start_if_somebody_has_asked_for_it_and_else_serve_outside() {
    let Some(own) = Own::make() else { return };
    own.take_no_processes();
    own.delegate();
    let mut server = own.server();
    server.hello([("size", int(1))]);
    server.receive();
    assert_eq!(server.call(("operator", "pos"), [int(1)]), Ok(int(1)));
    drop(server);
    let options = [("size", int(1)), ("cgroup", text(own.path())), ("wait", atom("none"))];
    let mut server = Server::start(options);
    let status = server.wait_for_status("a start error", |status| get(status, "last_start_error") != atom("nil"));
    let error = Failure::of(get(&status, "last_start_error"));
    let said: Vec<String> = elements(&error.detail("stderr")).iter().map(string).collect();
    assert!(said.iter().any(|line| line.contains("cannot be moved into the pool's cgroup")), "{error:?}");
}
