//! A program that pip has installed in an environment runs that environment's Python. docs/protocol.md 8.13

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::processes::Mark;
use crate::harness::term::{atom, element, get, int, map, name, text, tuple};
use crate::harness::{Server, Signpost, program, python};

/// A virtual environment with the program.
struct Installed {
    folder: Signpost,
}

impl Installed {
    fn new() -> Self {
        let folder = Signpost::new();
        fs::create_dir(folder.path()).unwrap();
        let installed = Self { folder };
        let made = Command::new(python()).args(["-m", "venv", "--without-pip"]).arg(installed.venv()).status().unwrap();
        assert!(made.success());
        fs::copy(program(), installed.program()).unwrap();
        installed
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn venv(&self) -> PathBuf {
        self.path("venv")
    }

    fn program(&self) -> PathBuf {
        self.venv().join("bin/portpool")
    }

    fn call(&self, program: &Path, path: &str, args: &[&str]) -> Result<String, String> {
        let mark = Mark::new();
        let mut command = Command::new(program);
        mark.put_on(&mut command);
        command.args(["call", "--output", "raw"]).args(args).current_dir("/").env("PATH", path);
        let output = command.output().unwrap();
        mark.assert_gone();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// A PATH whose `python3` is another Python.
    fn elsewhere(&self) -> String {
        Path::new(python()).parent().unwrap().display().to_string()
    }
}

const PREFIX: &[&str] = &["sys:prefix.__str__"];

fn prefix_of_the_tests_python() -> String {
    let asked = Command::new(python()).args(["-c", "import sys; print(sys.prefix)"]).output().unwrap();
    String::from_utf8(asked.stdout).unwrap().trim_end().to_owned()
}

#[test]
fn the_program_in_a_virtual_environment_runs_its_python_unless_it_is_told_otherwise() {
    let installed = Installed::new();
    let (venv, others) = (installed.venv().display().to_string(), prefix_of_the_tests_python());
    assert_eq!(installed.call(&installed.program(), &installed.elsewhere(), PREFIX), Ok(venv.clone()));
    let activated = ["os:environ.get", "VIRTUAL_ENV"];
    assert_eq!(installed.call(&installed.program(), &installed.elsewhere(), &activated), Ok(venv));
    let named = ["--python", python(), "sys:prefix.__str__"];
    assert_eq!(installed.call(&installed.program(), &installed.elsewhere(), &named), Ok(others));
}

#[test]
fn it_is_the_same_by_name_by_a_relative_path_and_through_a_link_to_the_folder() {
    let installed = Installed::new();
    let link = installed.path("link");
    symlink(installed.venv(), &link).unwrap();
    let call = |shell: &str| {
        let path = format!("{}:/usr/bin:/bin", installed.venv().join("bin").display());
        let output = Command::new("sh")
            .args(["-c", shell])
            .current_dir(installed.folder.path())
            .env("PATH", path)
            .output()
            .unwrap();
        assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    };
    let venv = installed.venv().display().to_string();
    assert_eq!(call("portpool call --output raw sys:prefix.__str__"), venv);
    assert_eq!(call("venv/bin/portpool call --output raw sys:prefix.__str__"), venv);
    assert_eq!(call("cd venv/bin && ./portpool call --output raw sys:prefix.__str__"), venv);
    assert_eq!(call("link/bin/portpool call --output raw sys:prefix.__str__"), link.display().to_string());
}

#[test]
fn a_link_elsewhere_and_a_copy_use_the_python_in_path() {
    let installed = Installed::new();
    let others = prefix_of_the_tests_python();
    let (link, copy) = (installed.path("portpool"), installed.path("copy"));
    symlink(installed.program(), &link).unwrap();
    fs::copy(program(), &copy).unwrap();
    for program in [link, copy] {
        assert_eq!(installed.call(&program, &installed.elsewhere(), PREFIX), Ok(others.clone()), "{program:?}");
    }
}

#[test]
fn an_environment_whose_python_is_gone_is_an_error_and_not_another_python() {
    let installed = Installed::new();
    let bin = installed.venv().join("bin/python");
    fs::remove_file(&bin).unwrap();
    symlink("/nowhere/python3", &bin).unwrap();
    let error = installed.call(&installed.program(), &installed.elsewhere(), PREFIX).unwrap_err();
    let beginning = "portpool: portpool uses the Python of the environment that it is installed in, unless an option names another: ";
    assert!(error.starts_with(beginning) && error.contains("is gone") && error.contains("/nowhere/python3"), "{error}");
    let named = ["--python", python(), "operator:add", "1", "2"];
    assert_eq!(installed.call(&installed.program(), &installed.elsewhere(), &named), Ok("3".to_owned()));
}

#[test]
fn in_a_conda_environment_it_runs_that_python() {
    let installed = Installed::new();
    fs::remove_file(installed.venv().join("pyvenv.cfg")).unwrap();
    fs::create_dir(installed.venv().join("conda-meta")).unwrap();
    let executable = ["sys:orig_argv.__getitem__", "0"];
    let ran = installed.call(&installed.program(), &installed.elsewhere(), &executable).unwrap();
    assert_eq!(ran, installed.venv().join("bin/python").display().to_string());
}

#[test]
fn a_server_does_so_too() {
    let installed = Installed::new();
    let mut command = Command::new(installed.program());
    command.arg("serve").env("PATH", installed.elsewhere());
    let mut server = Server::by(command);
    server.send(&tuple([atom("hello"), int(1), map([("size", int(1))])]));
    let ready = server.receive();
    assert_eq!(name(&ready), "ready", "{ready}");
    let executable = get(&get(&element(&ready, 2), "python"), "executable");
    assert_eq!(executable, text(installed.venv().join("bin/python").to_str().unwrap()));
    let prefix = server.call(("sys", "prefix.__str__"), []).unwrap();
    assert_eq!(prefix, text(installed.venv().to_str().unwrap()));
}
