//! Replacement of workers, and what the owner changes while the pool runs: recycling, resize, reload, drain.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::harness::processes::assert_dies;
use crate::harness::term::{atom, atom_name, count, elements, get, int, list, map, name, number, string, text, tuple};
use crate::harness::{Server, Signpost, pythons};

#[test]
fn no_worker_runs_one_call_more_than_max_calls_and_none_of_1000_is_lost() {
    for (max_calls, size) in [(1, 1), (1, 8), (2, 1), (2, 8)] {
        let mut server = Server::start([
            ("size", int(size)),
            ("max_calls", int(max_calls)),
            ("checkout_timeout", atom("infinity")),
            ("preload", list([text("echo")])),
        ]);
        let mut calls: BTreeMap<u64, u64> = BTreeMap::new();
        let ids: BTreeSet<u64> = (0..250).map(|_| server.cast(("echo", "incarnation"), [], &[])).collect();
        let answered: BTreeSet<u64> = ids
            .iter()
            .map(|_| server.reply())
            .map(|(to, result)| {
                *calls.entry(number(&result.unwrap())).or_default() += 1;
                to
            })
            .collect();
        assert_eq!(answered, ids);
        assert!(calls.values().all(|calls| *calls <= max_calls), "max_calls {max_calls}, size {size}: {calls:?}");
    }
}

#[test]
fn a_worker_that_is_old_is_replaced_by_one_that_is_ready() {
    let mut server = Server::start([("size", int(1)), ("max_age", int(300))]);
    let first = number(&server.call(("echo", "pid"), []).unwrap());
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        // Somebody is there all the time.
        let pid = number(&server.call_with(("echo", "pid"), [], &[("checkout_timeout", int(0))]).unwrap());
        if pid != first {
            break;
        }
        assert!(Instant::now() < end, "it is not replaced");
    }
    assert_dies(u32::try_from(first).unwrap());
}

#[test]
fn a_pool_grows_and_shrinks_while_it_works() {
    let mut server = Server::start([("size", int(1))]);
    let resize = |server: &mut Server, size| {
        let id = server.request("resize", [int(size)]);
        let (to, result) = server.reply();
        assert_eq!(to, id);
        result
    };
    assert_eq!(resize(&mut server, 3).unwrap(), atom("resized"));
    server.wait_for_status("three", |status| count(status, "idle") == 3 && count(status, "size") == 3);
    let flags: Vec<Signpost> = (0..3).map(|_| Signpost::new()).collect();
    for flag in &flags {
        server.cast(("echo", "wait_for"), [flag.text()], &[]);
    }
    resize(&mut server, 1).unwrap();
    for flag in &flags {
        flag.put_up();
        server.reply().1.unwrap();
    }
    server.wait_for_status("one", |status| count(status, "idle") == 1 && elements(&get(status, "workers")).len() == 1);
    let error = resize(&mut server, 0).unwrap_err();
    assert_eq!(error.reason(), "bad_request");
    assert!(error.message().contains("1 to 1024"), "{error:?}");
}

/// A folder with a module `versioned` that says its version.
struct Code {
    folder: Signpost,
}

impl Code {
    fn new(source: &str) -> Self {
        let folder = Signpost::new();
        fs::create_dir(folder.path()).unwrap();
        let code = Self { folder };
        code.write(source);
        code
    }

    fn write(&self, source: &str) {
        fs::write(self.folder.path().join("versioned.py"), source).unwrap();
    }

    fn path(&self) -> eetf::Term {
        list([self.folder.text()])
    }
}

/// Python writes bytecode, also where whoever runs the tests would have it not.
fn bytecode() -> eetf::Term {
    map([("PYTHONDONTWRITEBYTECODE", atom("false")), ("PYTHONPYCACHEPREFIX", atom("false"))])
}

fn reload(server: &mut Server) -> Result<eetf::Term, crate::harness::Failure> {
    let id = server.request("reload", []);
    let (to, result) = server.reply();
    assert_eq!(to, id);
    result
}

#[test]
fn a_reload_replaces_the_workers_by_some_that_see_the_code_as_it_is_now() {
    let code = Code::new("def version(): return 1\n");
    // The new source has the size of the old one and may have its second; bytecode is written, as usual.
    let env = bytecode();
    let mut server =
        Server::start([("size", int(2)), ("wait", atom("all")), ("python_path", code.path()), ("env", env)]);
    let version = |server: &mut Server| number(&server.call(("versioned", "version"), []).unwrap());
    assert_eq!(version(&mut server), 1);
    code.write("def version(): return 2\n");
    assert_eq!(version(&mut server), 1, "what is imported stays");
    assert_eq!(reload(&mut server).unwrap(), atom("reloaded"));
    server.wait_for_status("replaced", |status| {
        let workers = elements(&get(status, "workers"));
        count(status, "idle") == 2 && workers.iter().all(|worker| number(&get(worker, "generation")) == 2)
    });
    assert_eq!(version(&mut server), 2);
    assert_eq!(
        (count(&server.status(), "generation"), atom_name(&get(&server.status(), "reloading"))),
        (2, "false".into())
    );
}

#[test]
fn a_reload_sees_edits_of_the_same_length_in_the_same_second_and_files_that_keep_their_time() {
    for (python, template) in pythons().iter().flat_map(|python| [(python, false), (python, true)]) {
        let code = Code::new("def version(): return 1\n");
        let file = code.folder.path().join("versioned.py");
        let old = std::time::SystemTime::now() - Duration::from_secs(3600);
        fs::File::options().write(true).open(&file).unwrap().set_modified(old).unwrap();
        let preload = list(template.then(|| text("versioned")));
        let options = [("size", int(1)), ("python", text(python)), ("python_path", code.path()), ("env", bytecode())];
        let mut server = Server::start(options.into_iter().chain([("preload", preload)]));
        for version in 2..8 {
            let times = fs::metadata(&file).unwrap();
            code.write(&format!("def version(): return {version}\n"));
            if version % 2 == 0 {
                let file = fs::File::options().write(true).open(&file).unwrap();
                file.set_modified(times.modified().unwrap()).unwrap();
            }
            assert_eq!(reload(&mut server).unwrap(), atom("reloaded"));
            let seen = number(&server.call(("versioned", "version"), []).unwrap());
            assert_eq!(seen, version, "{python}, template: {template}");
        }
        let cache = fs::read_dir(code.folder.path().join("__pycache__")).unwrap();
        assert_eq!(cache.count(), 1, "bytecode is written all the same");
    }
}

#[test]
fn bytecode_that_is_younger_than_its_file_is_used() {
    let code = Code::new("def version(): return 1\n");
    let file = code.folder.path().join("versioned.py");
    let start = || Server::start([("size", int(1)), ("python_path", code.path()), ("env", bytecode())]);
    let old = std::time::SystemTime::now() - Duration::from_secs(3600);
    fs::File::options().write(true).open(&file).unwrap().set_modified(old).unwrap();
    let mut server = start();
    assert_eq!(number(&server.call(("versioned", "version"), []).unwrap()), 1);
    drop(server);
    let bytecode = fs::read_dir(code.folder.path().join("__pycache__")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&bytecode).unwrap();
    bytes.truncate(16);
    bytes.extend(b"no code");
    fs::write(&bytecode, bytes).unwrap();
    let future = std::time::SystemTime::now() + Duration::from_secs(3600);
    fs::File::options().write(true).open(&bytecode).unwrap().set_modified(future).unwrap();
    let error = start().call(("versioned", "version"), []).unwrap_err();
    assert_eq!(error.reason(), "exception", "what the bytecode holds cannot be run");
}

#[test]
fn a_reload_to_broken_code_fails_and_leaves_the_old_workers_serving() {
    let code = Code::new("def version(): return 1\n");
    let env = bytecode();
    let preload = list([text("versioned")]);
    let mut server =
        Server::start([("size", int(1)), ("python_path", code.path()), ("env", env), ("preload", preload)]);
    let version = |server: &mut Server| number(&server.call(("versioned", "version"), []).unwrap());
    code.write("def version(): return 2\nraise ValueError('half written')\n");
    let error = reload(&mut server).unwrap_err();
    assert_eq!((error.reason(), error.phase()), ("worker_start".into(), "start".into()));
    assert!(
        error.message().contains("the old ones keep serving") && error.message().contains("half written"),
        "{error:?}"
    );
    assert!(string(&error.detail("traceback")).contains("ValueError"));
    assert_eq!(version(&mut server), 1);
    let status = server.status();
    assert_eq!((count(&status, "generation"), count(&status, "idle"), count(&status, "restarts")), (1, 1, 0));
    code.write("def version(): return 3\n");
    assert_eq!(reload(&mut server).unwrap(), atom("reloaded"));
    server.wait_for_status("replaced", |status| {
        let workers = elements(&get(status, "workers"));
        count(status, "idle") == 1 && workers.iter().all(|worker| number(&get(worker, "generation")) > 1)
    });
    assert_eq!(version(&mut server), 3);
}

#[test]
fn a_drain_lets_running_calls_end_refuses_the_rest_and_ends_the_server() {
    let mut server = Server::start([("size", int(1))]);
    let flag = Signpost::new();
    let running = server.cast(("echo", "wait_for"), [flag.text()], &[]);
    let waiting = server.cast(("echo", "pid"), [], &[]);
    let drain = server.request("drain", [map([("drain_timeout", atom("infinity"))])]);
    let (to, result) = server.reply();
    assert_eq!((to, result.unwrap_err().reason()), (waiting, "shutdown".into()));
    let late = server.cast(("echo", "pid"), [], &[]);
    let (to, result) = server.reply();
    let error = result.unwrap_err();
    assert_eq!((to, error.reason(), error.phase()), (late, "shutdown".into(), "checkout".into()));
    flag.put_up();
    let (to, result) = server.reply();
    assert!(to == running && result.is_ok());
    let (to, result) = server.reply();
    assert_eq!((to, result.unwrap()), (drain, atom("drained")));
    assert!(server.wait().0.success());
}

#[test]
fn what_runs_beyond_drain_timeout_is_killed_and_a_second_drain_makes_it_short() {
    let mut server = Server::start([("size", int(1))]);
    let running = server.cast(("echo", "forever"), [], &[]);
    server.request("drain", [map([("drain_timeout", atom("infinity"))])]);
    server.wait_for_status("it drains", |status| atom_name(&get(status, "draining")) == "true");
    server.request("drain", [map([("drain_timeout", int(0))])]);
    let (to, result) = server.reply();
    let error = result.unwrap_err();
    assert_eq!((to, error.reason(), error.phase()), (running, "shutdown".into(), "call".into()));
    assert!(error.message().contains("drain_timeout"), "{error:?}");
    assert!((0..2).all(|_| server.reply().1.unwrap() == atom("drained")));
    assert!(server.wait().0.success());
}

#[test]
fn with_signals_drain_a_signal_drains_and_a_second_one_does_not_wait() {
    let mut server = Server::start([("size", int(1)), ("drain_timeout", atom("infinity")), ("signals", atom("drain"))]);
    let flag = Signpost::new();
    let running = server.cast(("echo", "wait_for"), [flag.text()], &[]);
    server.wait_for_status("it runs", |status| count(status, "busy") == 1);
    server.signal(Signal::TERM);
    server.wait_for_status("it drains", |status| atom_name(&get(status, "draining")) == "true");
    flag.put_up();
    let (to, result) = server.reply();
    assert!(to == running && result.is_ok());
    assert!(server.wait().0.success());

    let mut server = Server::start([("size", int(1)), ("drain_timeout", atom("infinity")), ("signals", atom("drain"))]);
    let running = server.cast(("echo", "forever"), [], &[]);
    server.wait_for_status("it runs", |status| count(status, "busy") == 1);
    server.signal(Signal::TERM);
    server.wait_for_status("it drains", |status| atom_name(&get(status, "draining")) == "true");
    server.signal(Signal::TERM);
    let (to, result) = server.reply();
    assert_eq!((to, result.unwrap_err().reason()), (running, "shutdown".into()));
    assert!(server.wait().0.success());
}

#[test]
fn a_server_whose_owner_wants_to_know_ends_when_workers_keep_failing() {
    let mut server = Server::start([("size", int(1)), ("on_crash_loop", atom("exit"))]);
    for _ in 0..5 {
        server.call(("dies", "by_exit"), [int(3)]).unwrap_err();
    }
    assert_eq!(server.wait().0.code(), Some(75));
}

#[test]
fn a_worker_that_dies_during_a_reload_is_replaced_at_once() {
    let code = Code::new("def version(): return 1\n");
    let flag = Signpost::new();
    let env = bytecode();
    let init = tuple([atom("versioned"), atom("version"), list([])]);
    let mut server = Server::start([("size", int(1)), ("python_path", code.path()), ("env", env), ("init", init)]);
    for _ in 0..3 {
        server.call(("versioned", "version"), []).unwrap();
    }
    // The new code gets ready when the flag is up.
    let tried = Signpost::new();
    let wait = format!("while not os.path.exists({:?}): time.sleep(0.001)", flag.path());
    let tell = format!("open({:?}, 'w').close()", tried.path());
    code.write(&format!("import os, time\n{tell}\ndef version():\n    {wait}\n    return 2\n"));
    let reload = server.request("reload", []);
    server.wait_for_status("it is tried", |_| tried.is_up());
    code.write("def version(): return 1\n");
    let pid = {
        let status = server.status();
        let idle = |worker: &eetf::Term| atom_name(&get(worker, "state")) == "idle";
        number(&get(elements(&get(&status, "workers")).iter().find(|worker| idle(worker)).unwrap(), "pid"))
    };
    crate::harness::processes::signal(u32::try_from(pid).unwrap(), Signal::KILL);
    assert_eq!(number(&server.call(("versioned", "version"), []).unwrap()), 1, "beside the reload that is under way");
    flag.put_up();
    let (to, result) = server.reply();
    assert!(to == reload && result.is_ok());
}

#[test]
fn what_is_refused_for_its_id_does_nothing_else() {
    let mut server = Server::start([("size", int(1)), ("drain_timeout", int(0))]);
    let running = server.cast(("echo", "forever"), [], &[]);
    server.send(&tuple([atom("resize"), int(running), int(3)]));
    assert_eq!(name(&server.receive()), "error");
    server.send(&tuple([atom("drain"), int(running), map([])]));
    assert_eq!(name(&server.receive()), "error");
    assert_eq!(count(&server.status(), "size"), 1);
    let drain = server.request("drain", [map([("drain_timeout", atom("infinity"))])]);
    server.send(&tuple([atom("ping"), int(drain)]));
    assert_eq!(name(&server.receive()), "error", "a drain is in flight until it is over");
}
