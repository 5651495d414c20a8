//! A Python package of another version, installed where the workers would find it: they use their own, and the log says so, once.
//! docs/worker_protocol.md 1.8

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use eetf::Term;

use crate::harness::term::{atom, get, int, list, name, string, text};
use crate::harness::{Server, Signpost, python};

const VERSION: &str = env!("CARGO_PKG_VERSION");
const WARNING: &str = "the Python package portpool 0.0.9 is installed in";

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A virtual environment, and folders beside it.
struct Environment(Signpost);

impl Environment {
    fn new() -> Self {
        let folder = Signpost::new();
        let made = Command::new(python()).args(["-m", "venv", "--without-pip"]).arg(folder.path()).status().unwrap();
        assert!(made.success());
        Self(folder)
    }

    fn python(&self) -> Term {
        text(self.0.path().join("bin/python").to_str().unwrap())
    }

    fn site_packages(&self) -> PathBuf {
        let lib = fs::read_dir(self.0.path().join("lib")).unwrap().next().unwrap().unwrap().path();
        lib.join("site-packages")
    }

    /// Installs the package as if it had this version.
    fn install(&self, version: &str) {
        let package = self.site_packages().join("portpool");
        fs::create_dir(&package).unwrap();
        for source in fs::read_dir(file("priv/python/portpool")).unwrap() {
            let source = source.unwrap().path();
            if source.is_file() {
                let code = fs::read_to_string(&source).unwrap();
                let line = |version| format!("__version__ = \"{version}\"");
                let code = code.replace(&line(VERSION), &line(version));
                fs::write(package.join(source.file_name().unwrap()), code).unwrap();
            }
        }
    }

    fn folder(&self, name: &str) -> PathBuf {
        let folder = self.0.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// Two workers, started on their own or forked; what `portpool` is in both, and the log.
    fn served(&self, forked: bool, python_path: &[&Path]) -> (Vec<String>, String) {
        let preload = list(forked.then(|| text("json")));
        let path = list(python_path.iter().map(|folder| text(folder.to_str().unwrap())));
        let mut server = Server::start([
            ("python", self.python()),
            ("python_path", path),
            ("preload", preload),
            ("size", int(2)),
            ("wait", atom("all")),
        ]);
        let calls =
            [("portpool", "__version__.__str__"), ("portpool.testing", "_program.portpool.__version__.__str__")];
        let versions = calls.map(|function| string(&server.call(function, []).unwrap())).to_vec();
        server.close_stdin();
        (versions, server.wait().1)
    }
}

#[test]
fn workers_use_their_own_package_and_one_warning_names_the_other() {
    let environment = Environment::new();
    environment.install("0.0.9");
    // Neither is the package: one has no code of its own, the other is somebody else's.
    let namespace = environment.folder("namespace");
    environment.folder("namespace/portpool");
    let others = environment.folder("others");
    fs::write(environment.folder("others/portpool").join("__init__.py"), "__version__ = \"7.0.0\"\n").unwrap();
    for forked in [false, true] {
        for path in [vec![], vec![namespace.as_path()], vec![others.as_path(), namespace.as_path()]] {
            let (versions, log) = environment.served(forked, &path);
            assert_eq!(versions, [VERSION, VERSION], "forked: {forked}");
            assert_eq!(log.matches(WARNING).count(), 1, "forked: {forked}: {log}");
            assert!(log.contains(environment.site_packages().to_str().unwrap()), "{log}");
        }
    }
}

#[test]
fn nothing_is_said_about_the_same_version_or_what_only_has_the_name() {
    let environment = Environment::new();
    let others = environment.folder("others");
    fs::write(environment.folder("others/portpool").join("__init__.py"), "__version__ = \"7.0.0\"\n").unwrap();
    let (versions, log) = environment.served(false, &[&others]);
    assert_eq!((versions, log.contains("installed")), (vec![VERSION.to_owned(); 2], false), "{log}");
    environment.install(VERSION);
    let (versions, log) = environment.served(false, &[]);
    assert_eq!((versions, log.contains("installed")), (vec![VERSION.to_owned(); 2], false), "{log}");
}

#[test]
fn a_package_that_python_imports_before_the_boot_is_forgotten() {
    let environment = Environment::new();
    environment.install("0.0.9");
    let early = "import portpool, portpool.testing, portpool._types\nassert portpool.__version__ == '0.0.9'\n";
    fs::write(environment.site_packages().join("sitecustomize.py"), early).unwrap();
    for forked in [false, true] {
        let (versions, log) = environment.served(forked, &[]);
        assert_eq!(
            (versions, log.matches(WARNING).count()),
            (vec![VERSION.to_owned(); 2], 1),
            "forked: {forked}: {log}"
        );
    }
}

#[test]
fn the_owner_gets_the_warning_with_the_log() {
    let environment = Environment::new();
    environment.install("0.0.9");
    let mut server = Server::silent();
    server.hello([("python", environment.python()), ("size", int(1)), ("logs", atom("owner"))]);
    let packets = [server.receive(), server.receive()];
    let line = packets.iter().find(|packet| name(packet) == "log").expect("a line of the log");
    let line = crate::harness::term::element(line, 1);
    assert_eq!(get(&line, "level"), atom("warning"));
    assert!(string(&get(&line, "text")).contains(WARNING), "{line}");
}

#[test]
fn program_packages_and_libraries_have_one_version() {
    let read = |path: &str| fs::read_to_string(file(path)).unwrap();
    assert!(read("priv/python/portpool/__init__.py").contains(&format!("\n__version__ = \"{VERSION}\"\n")));
    assert!(
        read("elixir/mix.exs").contains(&format!("version: \"{VERSION}\""))
            || read("elixir/mix.exs").contains(&format!("@version \"{VERSION}\""))
    );
    let wheel = read("pyproject.toml");
    assert!(
        wheel.contains("\ndynamic = [\"version\"]\n") && !wheel.contains("\nversion ="),
        "it has that of Cargo.toml"
    );
}
