//! What the option `python` names is what is started, and paths are bytes. docs/protocol.md 7.4, docs/faults.md rows 50 and 51.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use eetf::Term;

use crate::harness::term::{atom, get, int, list, map, name, number, string, text};
use crate::harness::{Failure, Server, Signpost, python, pythons, serve, workers};

/// A folder for scripts.
struct Folder(Signpost);

impl Folder {
    fn new() -> Self {
        Self(Signpost::folder())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// A script of this name, in which `PYTHON` is the interpreter.
    fn script(&self, name: &str, source: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, format!("#!/bin/sh\nPYTHON={}\n{source}\n", python())).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }
}

fn path(path: &Path) -> Term {
    eetf::Binary::from(path.as_os_str().as_bytes().to_vec()).into()
}

/// A server with workers that are started on their own, and one whose workers are forked.
fn both(options: &[(&str, Term)]) -> [Server; 2] {
    [vec![], vec![text("echo")]].map(|preload| {
        let own = [("size", int(1)), ("preload", list(preload))];
        Server::start(own.into_iter().chain(options.iter().cloned()))
    })
}

#[test]
fn a_script_that_becomes_python_is_what_runs_for_each_worker_and_template() {
    let folder = Folder::new();
    let source = "ulimit -n 77\nSET_BY_THE_SCRIPT=\"yes\"; export SET_BY_THE_SCRIPT\nexec \"$PYTHON\" \"$@\"";
    let script = folder.script("sets limits", source);
    for mut server in both(&[("python", path(&script))]) {
        assert_eq!(server.call(("echo", "environ"), [text("SET_BY_THE_SCRIPT")]).unwrap(), text("yes"));
        assert_eq!(server.call(("resource", "getrlimit"), [int(7)]).unwrap().to_string(), "{77,77}");
    }
}

#[test]
fn scripts_may_print_read_stdin_change_the_directory_and_not_quote() {
    let folder = Folder::new();
    for (name, source, at) in [
        ("prints", "echo from the script\nprintf 'no end of line'\nexec \"$PYTHON\" \"$@\"", None),
        ("reads", "read line\ncat\nexec \"$PYTHON\" \"$@\"", None),
        ("moves", "cd /\nexec \"$PYTHON\" \"$@\"", Some("/")),
        ("does_not_quote", "exec $PYTHON $*", None),
        ("by_env", "exec env A=1 \"$PYTHON\" \"$@\"", None),
        ("twice", "[ -n \"$TWICE\" ] && exec \"$PYTHON\" \"$@\"\nTWICE=1; export TWICE; exec \"$0\" \"$@\"", None),
    ] {
        let script = folder.script(name, source);
        for mut server in both(&[("python", path(&script))]) {
            let there = string(&server.call(("os", "getcwd"), []).unwrap());
            assert_eq!(there, at.map_or_else(|| std::env::current_dir().unwrap().display().to_string(), str::to_owned));
        }
    }
}

#[test]
fn a_virtual_environment_a_relative_path_and_a_name_in_path_are_kept() {
    let prefix = |server: &mut Server| string(&server.call(("starts", "prefix"), []).unwrap());
    let folder = Folder::new();
    let venv = Path::new(python()).parent().unwrap();
    let directly = std::process::Command::new(python()).args(["-c", "import sys; print(sys.prefix)"]).output().unwrap();
    let expected = String::from_utf8(directly.stdout).unwrap().trim().to_owned();
    for mut server in both(&[("python", text(python()))]) {
        assert_eq!(prefix(&mut server), expected);
    }
    let env = map([("PATH", text(&format!("{}:/usr/bin:/bin", venv.display())))]);
    let name_of = Path::new(python()).file_name().unwrap().to_str().unwrap();
    for mut server in both(&[("python", text(name_of)), ("env", env)]) {
        assert_eq!(prefix(&mut server), expected);
    }
    // Relative to the server, whatever the directory of the workers is.
    let script = folder.script("relative", "exec \"$PYTHON\" \"$@\"");
    for path in ["./relative", "."] {
        let mut command = serve();
        command.current_dir(folder.path());
        let mut server = Server::by(command);
        let env = map([("PATH", text("."))]);
        let options = if path == "." {
            [("python", text("relative")), ("env", env)]
        } else {
            [("python", text(path)), ("env", map([]))]
        };
        server.hello(options.into_iter().chain([("size", int(1)), ("cd", text("/"))]));
        assert_eq!(name(&server.receive()), "ready", "{}", script.display());
        assert_eq!(prefix(&mut server), expected);
    }
}

#[test]
fn a_script_that_clears_the_environment_serves_and_a_template_says_why_it_does_not() {
    let folder = Folder::new();
    let script = folder.script("clears", "exec env -i PATH=\"$PATH\" \"$PYTHON\" \"$@\"");
    for (mut server, has_template) in both(&[("python", path(&script))]).into_iter().zip([false, true]) {
        server.call(("echo", "pid"), []).unwrap();
        server.close_stdin();
        let (_, log) = server.wait();
        assert_eq!(log.contains("the variable PORTPOOL_WORKER is not in its environment"), has_template, "{log}");
        assert!(!log.contains("Traceback"), "{log}");
    }
}

#[test]
fn a_script_whose_interpreter_is_missing_names_it() {
    let folder = Folder::new();
    for (line, interpreter) in [
        ("#!/nonexistent/python3", "/nonexistent/python3"),
        ("#! /nonexistent/env  python3", "/nonexistent/env"),
        // A file from Windows.
        ("#!/bin/sh\r", "/bin/sh\\r"),
    ] {
        let script = folder.script("of_nobody", "");
        fs::write(&script, format!("{line}\nexec python3 \"$@\"\n")).unwrap();
        let mut server = Server::silent();
        server.hello([("size", int(1)), ("python", path(&script))]);
        let error = Failure::of(crate::harness::term::element(&server.receive(), 1));
        let said = format!("is a script, and its interpreter \"{interpreter}\" does not exist");
        assert!(error.message().contains(&said), "{error:?}");
        assert_eq!(server.wait().0.code(), Some(2));
    }
}

#[test]
fn a_script_that_starts_python_as_its_child_is_an_error_that_says_so() {
    let folder = Folder::new();
    for source in ["\"$PYTHON\" \"$@\"", "\"$PYTHON\" \"$@\" & wait", "setsid \"$PYTHON\" \"$@\"\nexit 0"] {
        let script = folder.script("child", source);
        let mut server = Server::silent();
        server.hello([("size", int(1)), ("python", path(&script))]);
        let error = server.receive();
        assert_eq!(name(&error), "error", "{source}: {error}");
        let error = Failure::of(crate::harness::term::element(&error, 1));
        assert_eq!((error.reason(), error.detail("option")), ("bad_request".into(), text("python")), "{source}");
        assert!(error.message().contains("as a child") && error.message().contains("exec"), "{error:?}");
        assert_eq!(server.wait().0.code(), Some(2));
    }
    // One that does so for workers only.
    let source = "case \"$*\" in *portpool-*) \"$PYTHON\" \"$@\";; *) exec \"$PYTHON\" \"$@\";; esac";
    let script = folder.script("later", source);
    let mut server = Server::start([("size", int(1)), ("wait", atom("none")), ("python", path(&script))]);
    let status = server.wait_for_status("a start error", |status| get(status, "last_start_error") != atom("nil"));
    let error = Failure::of(get(&status, "last_start_error"));
    assert!(error.message().contains("as a child") && error.message().contains("exec"), "{error:?}");
}

/// Where Python takes file names for ASCII.
fn without_a_locale() -> Term {
    map([("LC_ALL", text("C")), ("PYTHONUTF8", text("0")), ("PYTHONCOERCECLOCALE", text("0"))])
}

#[test]
fn paths_mean_the_same_bytes_whatever_the_locale() {
    let folder = Folder::new();
    for (number_of, bytes) in ["caf\u{e9} \u{416}".as_bytes(), b"caf\xe9", b"\xff\xfe"].into_iter().enumerate() {
        let place = folder.path().join(OsStr::from_bytes(bytes));
        fs::create_dir(&place).unwrap();
        let module = format!("there_{number_of}");
        fs::write(place.join(format!("{module}.py")), "import os\n\ndef fails():\n    raise ValueError(__file__)\n\ndef here():\n    return os.getcwdb() == os.fsencode(os.path.dirname(__file__))\n")
            .unwrap();
        symlink(python(), place.join("python3")).unwrap();
        let link = folder.script("link", "exec \"$PYTHON\" \"$@\"");
        fs::rename(&link, place.join("script")).unwrap();
        for interpreter in ["script", "python3"] {
            let options = [
                ("python", path(&place.join(interpreter))),
                ("python_path", list([path(&place), path(&workers())])),
                ("cd", path(&place)),
                ("env", without_a_locale()),
            ];
            for mut server in both(&options) {
                assert_eq!(server.call((&module, "here"), []).unwrap(), atom("true"), "{bytes:?}, {interpreter}");
                let error = server.call((&module, "fails"), []).unwrap_err();
                assert_eq!(error.reason(), "exception", "{error:?}");
                let status = server.status();
                assert_eq!(number(&get(&status, "restarts")), 0, "{status}");
            }
        }
    }
}

/// Variables for a locale whose file names are Latin-1, if this system can make one.
fn latin_1(folder: &Folder) -> Option<Term> {
    let name = "en_US.ISO-8859-1";
    let mut make = std::process::Command::new("localedef");
    make.args(["--no-archive", "-i", "en_US", "-f", "ISO-8859-1"]).arg(folder.path().join(name));
    if !make.output().is_ok_and(|made| made.status.success()) {
        println!("localedef or its sources are not installed: there is no Latin-1 locale");
        return None;
    }
    Some(map([("LC_ALL", text(name)), ("LOCPATH", folder.0.text()), ("PYTHONUTF8", text("0"))]))
}

#[test]
fn a_module_whose_name_is_not_ascii_is_found_where_python_can_and_else_the_error_names_the_encoding() {
    let folder = Folder::new();
    let [utf_8, latin_1_name] = ["caf\u{e9}", "na\u{ef}ve"];
    let source = "def fails():\n    raise ValueError(__name__)\n";
    fs::write(folder.path().join(format!("{utf_8}.py")), source).unwrap();
    fs::write(folder.path().join(OsStr::from_bytes(b"na\xefve.py")), source).unwrap();
    let locales = [
        (Some(map([("LC_ALL", text("C"))])), Some(utf_8), latin_1_name, None),
        (Some(without_a_locale()), None, utf_8, Some("ascii")),
        (latin_1(&folder), Some(latin_1_name), utf_8, Some("iso8859-1")),
    ];
    for python in pythons() {
        for (env, there, not_there, encoding) in &locales {
            let Some(env) = env else { continue };
            let options = [("python", text(&python)), ("python_path", list([folder.0.text()])), ("env", env.clone())];
            for preload in [None, *there] {
                let mut server = Server::start(
                    options.iter().cloned().chain([("size", int(1)), ("preload", list(preload.map(text)))]),
                );
                if let Some(module) = there {
                    let error = server.call((module, "fails"), []).unwrap_err();
                    assert_eq!(
                        (error.reason(), error.message()),
                        ("exception".into(), format!("ValueError: {module}"))
                    );
                }
                let error = server.call((not_there, "fails"), []).unwrap_err();
                assert_eq!(error.reason(), "undef", "{error:?}");
                assert!(error.message().contains(not_there), "{error:?}");
                let hint = encoding.map(|encoding| format!("reads file names as {encoding}; with PYTHONUTF8=1"));
                assert_eq!(error.message().contains("file names"), hint.is_some(), "{error:?}");
                assert!(error.message().contains(&hint.unwrap_or_default()), "{error:?}");
            }
        }
    }
}
