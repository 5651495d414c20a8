//! The option `venv`: the interpreter of a virtual environment, and whether it is still the one it was made with.
//! docs/protocol.md 8.12.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use eetf::Term;

use crate::harness::command::portpool;
use crate::harness::term::{atom, element, get, int, list, map, name, number, string, text};
use crate::harness::{Failure, Server, Signpost, python, pythons};

/// A folder that is removed at the end.
struct Folder(Signpost);

impl Folder {
    fn new() -> Self {
        Self(Signpost::folder())
    }

    fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    /// An environment of this name, made by this interpreter.
    fn venv(&self, name: impl AsRef<Path>, python: &Path, options: &[&str]) -> PathBuf {
        let venv = self.join(name);
        let mut make = Command::new(python);
        make.args(["-m", "venv", "--without-pip"]).args(options).arg(&venv);
        let made = make.output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        venv
    }

    /// Another path of the installation of an interpreter, and the interpreter there.
    fn installation(&self, name: &str, python: &str) -> (PathBuf, PathBuf) {
        let installation = self.join(name);
        symlink(asked(python, "sys.base_prefix"), &installation).unwrap();
        let python = installation.join("bin/python3");
        assert!(python.exists());
        (installation, python)
    }
}

/// What an interpreter answers.
fn asked(python: &str, expression: &str) -> String {
    let code = format!("import sys; print({expression})");
    let asked = Command::new(python).args(["-c", &code]).output().unwrap();
    String::from_utf8(asked.stdout).unwrap().trim().to_owned()
}

/// The interpreter that the environment of the tests was made with.
fn base() -> PathBuf {
    asked(python(), "sys._base_executable").into()
}

fn path(path: &Path) -> Term {
    eetf::Binary::from(path.as_os_str().as_bytes().to_vec()).into()
}

/// A server with workers that are started on their own, and one whose workers are forked.
fn both(venv: &Path) -> [Server; 2] {
    [vec![], vec![text("echo")]]
        .map(|preload| Server::start([("size", int(1)), ("venv", path(venv)), ("preload", list(preload))]))
}

fn reload(server: &mut Server) -> Result<Term, Failure> {
    let id = server.request("reload", []);
    let (to, outcome) = server.reply();
    assert_eq!(to, id);
    outcome
}

fn prefix(server: &mut Server) -> PathBuf {
    string(&server.call(("starts", "prefix"), []).unwrap()).into()
}

/// Why a server does not start with these options.
fn refusal(options: &[(&str, Term)]) -> String {
    let mut server = Server::silent();
    server.hello([("size", int(1))].into_iter().chain(options.iter().cloned()));
    let reply = server.receive();
    assert_eq!(name(&reply), "error", "{reply}");
    let error = Failure::of(element(&reply, 1));
    assert_eq!((error.reason(), error.detail("option")), ("bad_request".into(), text("venv")), "{error:?}");
    assert_eq!(server.wait().0.code(), Some(2));
    error.message()
}

fn assert_refused(venv: &Path, says: &[&str]) {
    let message = refusal(&[("venv", path(venv))]);
    for words in [&["option venv: ", venv.to_str().unwrap()], says].concat() {
        assert!(message.contains(words), "{message:?} does not say {words:?}");
    }
}

/// Replaces a value in the configuration of an environment.
fn record(venv: &Path, key: &str, value: &str) {
    let config = venv.join("pyvenv.cfg");
    let lines = fs::read_to_string(&config).unwrap();
    let others = lines.lines().filter(|line| !line.starts_with(&format!("{key} ")));
    let all: Vec<String> = others.map(str::to_owned).chain([format!("{key} = {value}\n")]).collect();
    fs::write(config, all.join("\n")).unwrap();
}

#[test]
fn the_python_of_each_kind_of_environment_runs_as_if_activated() {
    let folder = Folder::new();
    let pythons: Vec<String> = pythons().iter().map(|python| asked(python, "sys._base_executable")).collect();
    for (number_of, python) in pythons.iter().enumerate() {
        for options in [&[][..], &["--copies"], &["--system-site-packages"]] {
            let venv = folder.venv(format!("{number_of}{options:?}"), Path::new(python), options);
            for mut server in both(&venv) {
                assert_eq!(prefix(&mut server), venv, "{python} {options:?}");
                let env = |name| [text(name), atom("nil")].into_iter();
                assert_eq!(server.call(("os", "getenv"), env("VIRTUAL_ENV")).unwrap(), text(venv.to_str().unwrap()));
                let path = string(&server.call(("os", "getenv"), env("PATH")).unwrap());
                assert!(path.starts_with(&format!("{}/bin:", venv.display())), "{path}");
            }
        }
    }
}

#[test]
fn the_variables_of_the_user_come_after_those_of_the_environment() {
    let folder = Folder::new();
    let venv = folder.venv("venv", &base(), &[]);
    let env = map([("VIRTUAL_ENV", atom("false")), ("PATH", text("/usr/bin"))]);
    let mut server = Server::start([("size", int(1)), ("venv", path(&venv)), ("env", env)]);
    assert_eq!(prefix(&mut server), venv);
    for (variable, value) in [("VIRTUAL_ENV", atom("nil")), ("PATH", text("/usr/bin"))] {
        assert_eq!(server.call(("os", "getenv"), [text(variable)]).unwrap(), value);
    }
}

#[test]
fn a_pythonhome_of_the_owner_does_not_hide_the_environment() {
    let folder = Folder::new();
    let venv = folder.venv("venv", &base(), &[]);
    let mut command = crate::harness::serve();
    command.env("PYTHONHOME", "/nowhere");
    let mut server = Server::by(command);
    server.hello([("size", int(1)), ("venv", path(&venv))]);
    assert_eq!(name(&server.receive()), "ready");
    assert_eq!(prefix(&mut server), venv);
}

#[test]
fn an_environment_may_be_anywhere_and_be_moved() {
    let folder = Folder::new();
    let made = folder.venv("made", &base(), &[]);
    let places: [&[u8]; 5] = ["with blanks".as_bytes(), "gr\u{fc}\u{df}e".as_bytes(), b"caf\xe9", b"a:b", b"-S"];
    let mut last = made;
    for bytes in places {
        let place = folder.join(OsStr::from_bytes(bytes));
        fs::rename(&last, &place).unwrap();
        for mut server in both(&place) {
            let same = server.call_with(("starts", "is_prefix"), [path(&place)], &[("binaries", atom("bytes"))]);
            assert_eq!(same.unwrap(), atom("true"), "{bytes:?}");
        }
        last = place;
    }
    // A relative path starts where the server runs, whatever the directory of the workers is.
    let mut command = crate::harness::serve();
    command.current_dir(folder.0.path());
    let mut server = Server::by(command);
    server.hello([("size", int(1)), ("venv", text("./-S")), ("cd", text("/"))]);
    assert_eq!(name(&server.receive()), "ready");
    assert_eq!(prefix(&mut server), last);
}

#[test]
fn an_environment_whose_interpreter_is_gone_is_refused_with_what_it_was_made_with() {
    let folder = Folder::new();
    let (installation, installed) = folder.installation("installation", python());
    let linked = folder.venv("linked", &installed, &[]);
    let copied = folder.venv("copied", &installed, &["--copies"]);
    for venv in [&linked, &copied] {
        both(venv).iter_mut().for_each(|server| assert_eq!(prefix(server), *venv));
    }
    fs::remove_file(&installation).unwrap();
    let version = asked(python(), "'.'.join(map(str, sys.version_info[:3]))");
    let made_with = format!("it was made with Python {version} (");
    // The folder of the installation may be in the configuration without links, and then it is still there.
    let there = fs::read_to_string(copied.join("pyvenv.cfg")).unwrap();
    assert!(there.contains(installation.to_str().unwrap()), "{there}");
    for (venv, gone) in [(&linked, "bin/python leads to"), (&copied, "does not exist any more")] {
        let place = installation.to_str().unwrap();
        assert_refused(venv, &["is gone", &made_with, gone, place, "Install that Python there again, or make"]);
    }
    // What the command line says.
    let (status, stdout, stderr) = portpool(&["call", "--venv", linked.to_str().unwrap(), "operator:add", "1", "2"]);
    assert_eq!((status, stdout.as_str()), (3, ""));
    assert!(stderr.contains("is gone: it was made with"), "{stderr}");
}

#[test]
fn an_environment_of_another_version_is_refused_but_a_newer_release_of_the_same_is_not() {
    let folder = Folder::new();
    let venv = folder.venv("venv", &base(), &[]);
    let version = asked(python(), "'.'.join(map(str, sys.version_info[:3]))");
    let series = asked(python(), "'.'.join(map(str, sys.version_info[:2]))");
    record(&venv, "version", "3.8.18");
    let runs = format!("but its bin/python runs Python {version} (");
    assert_refused(
        &venv,
        &["was made with Python 3.8.18 (", &runs, "without its packages", "make the environment anew"],
    );
    record(&venv, "version", &format!("{series}.0"));
    both(&venv).iter_mut().for_each(|server| assert_eq!(prefix(server), venv));
    // As virtualenv and uv write it.
    record(&venv, "version", &version);
    record(&venv, "version_info", "3.8.18.final.0");
    assert_refused(&venv, &["was made with Python 3.8.18 ("]);
    record(&venv, "version_info", &format!("{series}.99"));
    both(&venv).iter_mut().for_each(|server| assert_eq!(prefix(server), venv));
}

#[test]
fn an_environment_whose_link_leads_to_another_python_is_refused() {
    let folder = Folder::new();
    let bases: Vec<PathBuf> = pythons().iter().map(|python| asked(python, "sys._base_executable").into()).collect();
    let [first, .., last] = bases.as_slice() else { return println!("there is only one Python") };
    let venv = folder.venv("venv", first, &[]);
    fs::remove_file(venv.join("bin/python")).unwrap();
    symlink(last, venv.join("bin/python")).unwrap();
    let version = |python: &Path| asked(python.to_str().unwrap(), "'%d.%d.' % sys.version_info[:2]");
    let [was, is] = [version(first), version(last)].map(|version| format!("Python {version}"));
    assert_refused(&venv, &["was made with", &was, "bin/python runs", &is]);
}

#[test]
fn an_environment_of_the_same_version_from_another_place_is_refused() {
    let folder = Folder::new();
    let venv = folder.venv("venv", &base(), &[]);
    fs::create_dir_all(folder.join("elsewhere/bin")).unwrap();
    let prefix_now = asked(base().to_str().unwrap(), "sys.base_prefix");
    // virtualenv and `mix portpool.venv` record it.
    record(&venv, "base-prefix", folder.join("elsewhere").to_str().unwrap());
    assert_refused(&venv, &["was made with", "runs Python", &prefix_now]);
    record(&venv, "base-prefix", "/nowhere/at/all");
    assert_refused(&venv, &["is gone", "\"/nowhere/at/all\" does not exist any more"]);
    record(&venv, "base-prefix", &prefix_now);
    both(&venv).iter_mut().for_each(|server| assert_eq!(prefix(server), venv));
}

#[test]
fn an_environment_with_packages_for_another_machine_is_refused() {
    let folder = Folder::new();
    let venv = folder.venv("venv", &base(), &[]);
    let machine = asked(python(), "getattr(sys.implementation, '_multiarch', '')");
    if machine.is_empty() {
        return println!("this Python does not say what it is for");
    }
    record(&venv, "portpool-machine", &machine);
    both(&venv).iter_mut().for_each(|server| assert_eq!(prefix(server), venv));
    record(&venv, "portpool-machine", "riscv64-linux-musl");
    assert_refused(&venv, &["has packages for riscv64-linux-musl, and its Python is for", &machine, "like this one"]);
}

#[test]
fn what_is_not_a_virtual_environment_is_refused_and_says_what_it_is() {
    let folder = Folder::new();
    let plain = folder.join("plain");
    fs::create_dir_all(plain.join("bin")).unwrap();
    symlink(python(), plain.join("bin/python")).unwrap();
    assert_refused(&plain, &["is not a virtual environment: it has no pyvenv.cfg"]);
    assert_refused(
        &folder.join("missing"),
        &["does not exist: create it with `mix portpool.venv` or `python3 -m venv`"],
    );
    let file = folder.join("file");
    fs::write(&file, "").unwrap();
    assert_refused(&file, &["is not a virtual environment"]);
    fs::create_dir(plain.join("conda-meta")).unwrap();
    let interpreter = format!("{:?}", plain.join("bin/python"));
    assert_refused(&plain, &["is a conda environment", "as the option python", &interpreter]);

    let venv = folder.venv("venv", &base(), &[]);
    fs::remove_file(venv.join("bin/python")).unwrap();
    assert_refused(&venv, &["has no bin/python: create it again"]);
    let script = |source: String, mode| {
        fs::write(venv.join("bin/python"), source).unwrap();
        fs::set_permissions(venv.join("bin/python"), fs::Permissions::from_mode(mode)).unwrap();
    };
    script(format!("#!/bin/sh\nexec {} \"$@\"\n", base().display()), 0o755);
    assert_refused(&venv, &["bin/python of", "starts", base().to_str().unwrap(), "outside it"]);
    script("#!/bin/sh\necho for another machine >&2; exit 127\n".to_owned(), 0o755);
    assert_refused(&venv, &["does not behave like Python (exit status 127): \"for another machine\""]);
    script("\u{7f}ELF of another processor".to_owned(), 0o755);
    assert_refused(&venv, &["could not be run"]);
    script(String::new(), 0o644);
    assert_refused(&venv, &["is not an executable file"]);
}

#[test]
fn python_and_venv_exclude_each_other() {
    let message = refusal(&[("venv", text("/venv")), ("python", text("python3"))]);
    assert!(message.contains("option venv: cannot be combined with python"), "{message}");
    let (status, _, stderr) = portpool(&["call", "--venv", "/venv", "--python", "python3", "operator:add", "1", "2"]);
    assert_eq!(status, 2, "{stderr}");
    assert!(stderr.contains("--python <PYTHON>") && stderr.contains("--venv <DIR>"), "{stderr}");
}

#[test]
fn the_command_line_takes_an_environment() {
    let folder = Folder::new();
    let venv = folder.venv("venv", &base(), &[]);
    let mut command = Command::new(crate::harness::program());
    command.current_dir(folder.0.path());
    command.args(["call", "--venv", "venv", "os:getenv", "VIRTUAL_ENV"]);
    let output = command.output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{:?}\n", venv.to_str().unwrap()));
}

#[test]
fn a_missing_package_is_named_with_the_environment_and_what_to_do() {
    let folder = Folder::new();
    let venv = folder.venv("venv", &base(), &[]);
    fs::write(folder.join("imports.py"), "def inside():\n    import no_such_thing.at_all\n").unwrap();
    fs::write(folder.join("at_start.py"), "import no_such_thing\n").unwrap();
    fs::create_dir(folder.join("whole")).unwrap();
    fs::write(folder.join("whole/__init__.py"), "def part():\n    import whole.part\n").unwrap();
    let path_of = |venv: &Path| [("size", int(1)), ("venv", path(venv)), ("python_path", list([folder.0.text()]))];
    let place = venv.to_str().unwrap();
    let neither = format!(
        "Neither python_path nor the virtual environment {place} has no_such_thing. If it belongs to a package, "
    );
    for (key, value, cure) in [
        (
            "version",
            asked(python(), "'%d.%d.0' % sys.version_info[:2]"),
            format!("install that with `{place}/bin/python -m pip install PACKAGE`"),
        ),
        ("uv", "0.5.1".to_owned(), format!("install that with `uv pip install --python {place}/bin/python PACKAGE`")),
        ("portpool-file", "needs.txt".to_owned(), "add that to needs.txt and run `mix portpool.venv`".to_owned()),
    ] {
        record(&venv, key, &value);
        let mut server = Server::start(path_of(&venv));
        let said = |begins: &str| format!("{begins}. {neither}{cure}");
        let raised = server.call(("imports", "inside"), []).unwrap_err();
        assert_eq!(raised.reason(), "exception");
        assert_eq!(raised.message(), said("ModuleNotFoundError: No module named 'no_such_thing'"));
        let called = server.call(("no_such_thing", "f"), []).unwrap_err();
        assert_eq!((called.reason(), called.message()), ("undef".into(), said("there is no module no_such_thing")));
    }
    let preload = [("preload", list([text("at_start")])), ("on_start_failure", atom("fail"))];
    let mut server = Server::silent();
    server.hello(path_of(&venv).into_iter().chain(preload));
    let error = Failure::of(element(&server.receive(), 1));
    assert!(error.message().contains(&neither), "{error:?}");
    // What is missing is not a package.
    let mut server = Server::start(path_of(&venv));
    let code = [text("__import__('_pickle.nothing')")];
    for error in [server.call(("whole", "part"), []), server.call(("builtins", "eval"), code)] {
        let error = error.unwrap_err();
        assert_eq!(error.reason(), "exception");
        assert!(!error.message().contains("virtual environment"), "{error:?}");
    }
    // Nor is an installation a virtual environment.
    let base = text(base().to_str().unwrap());
    let mut server = Server::start([("size", int(1)), ("python", base), ("python_path", list([folder.0.text()]))]);
    let error = server.call(("imports", "inside"), []).unwrap_err();
    assert_eq!(error.message(), "ModuleNotFoundError: No module named 'no_such_thing'");
}

#[test]
fn a_worker_or_template_that_finds_another_python_there_does_not_start_and_says_so() {
    let folder = Folder::new();
    let (elsewhere, _) = folder.installation("elsewhere", python());
    for preload in [vec![], vec![text("echo")]] {
        let name = format!("venv{}", preload.len());
        let venv = folder.venv(name, &base(), &[]);
        let options = [("size", int(1)), ("venv", path(&venv)), ("preload", list(preload))];
        let mut server = Server::start(options);
        assert_eq!(prefix(&mut server), venv);
        record(&venv, "home", elsewhere.join("bin").to_str().unwrap());
        // A template outlives its workers, so all are started anew.
        let failed = reload(&mut server).unwrap_err();
        assert_eq!(failed.reason(), "worker_start", "{failed:?}");
        for words in ["bin/python of", venv.to_str().unwrap(), elsewhere.to_str().unwrap(), "start the pool again"] {
            assert!(failed.message().contains(words), "{failed:?} does not say {words:?}");
        }
        assert_eq!(prefix(&mut server), venv, "the old workers serve");
        assert_eq!(number(&get(&server.status(), "generation")), 1);
    }
}
