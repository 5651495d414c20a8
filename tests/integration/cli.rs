//! `portpool call`: the examples in README.md, and errors.

use assert_cmd::Command;

use crate::harness::command::{portpool, portpool_in, with_python};
use crate::harness::{program, python, workers};

fn call(args: &[&str]) -> (i32, String, String) {
    with_python("call", args)
}

#[test]
fn results_are_json_on_stdout_and_nothing_else_is() {
    for (args, result) in [
        (&["operator:add", "1", "2"][..], "3\n"),
        (&["operator:add", "-1", "2"], "1\n"),
        (&["builtins:str.upper", "hello"], "\"HELLO\"\n"),
        (&["builtins:str", "{\"a\": [1, 2.5, null, true]}"], "\"{'a': [1, 2.5, None, True]}\"\n"),
        (&["builtins:dict", "--kwargs", "{\"b\": 1, \"a\": [\"x\"]}"], "{\"b\":1,\"a\":[\"x\"]}\n"),
        (&["builtins:pow", "2", "100"], "1267650600228229401496703205376\n"),
        (&["builtins:bytes", "[0, 255]"], "{\"$bytes\":\"AP8=\"}\n"),
        (&["builtins:divmod", "7", "2"], "[3,1]\n"),
        (&["os:path.basename", "a/b"], "\"b\"\n"),
    ] {
        let (status, stdout, stderr) = call(args);
        assert_eq!((status, stdout.as_str(), stderr.as_str()), (0, result, ""), "{args:?}");
    }
}

#[test]
fn what_python_prints_goes_to_stderr() {
    let (status, stdout, stderr) = call(&["builtins:print", "hello"]);
    assert_eq!((status, stdout.as_str()), (0, "null\n"));
    assert!(stderr.contains("hello"), "{stderr}");
}

#[test]
fn modules_are_imported_from_the_working_directory_and_from_python_path() {
    let folder = workers();
    let folder = folder.to_str().unwrap();
    let args = ["call", "--python", python(), "echo:echo", "7"];
    assert_eq!(portpool_in(folder, &args).1, "7\n");
    assert_eq!(portpool(&args).0, 1, "not from elsewhere");
    assert_eq!(call(&["--python-path", folder, "echo:echo", "7"]).1, "7\n");
}

#[test]
fn a_call_that_fails_shows_reason_and_traceback_and_ends_with_1() {
    let (status, stdout, stderr) = call(&["json:loads", "{"]);
    assert_eq!((status, stdout.as_str()), (1, ""));
    assert!(stderr.starts_with("portpool: exception: JSONDecodeError: "), "{stderr}");
    assert!(stderr.contains("Traceback (most recent call last):"), "{stderr}");
    let (status, _, stderr) = call(&["math:sqroot", "4"]);
    assert_eq!(status, 1);
    assert_eq!(stderr, "portpool: undef: math has no function sqroot\ndid you mean sqrt?\n");
    let (status, _, stderr) = call(&["nowhere:f"]);
    assert_eq!(status, 1);
    assert!(stderr.starts_with("portpool: undef: there is no module nowhere\nlooked in: "), "{stderr}");
    let (status, _, stderr) = call(&["--timeout", "200ms", "time:sleep", "60"]);
    assert_eq!(status, 1);
    assert!(stderr.contains("portpool: timeout: time:sleep ran longer than 200 ms"), "{stderr}");
    let (status, _, stderr) = call(&["builtins:float", "nan"]);
    assert_eq!(status, 1);
    assert!(stderr.contains("unencodable") || stderr.contains("the result:"), "{stderr}");
}

#[test]
fn wrong_usage_ends_with_2_and_says_what_is_wrong() {
    for (args, says) in [
        (&["call"][..], "MODULE:FUNCTION"),
        (&["call", "operator.add", "1"], "must be MODULE:FUNCTION"),
        (&["call", "operator:add", "--kwargs", "[1]"], "it must be a JSON object"),
        (&["call", "operator:add", "--kwargs", "{"], "it is not JSON"),
        (&["call", "--timeout", "soon", "operator:add"], "must be a number with ms, s or m behind it"),
        (&["call", "--size", "0", "operator:add"], "0 is not in 1..=1024"),
        (&["call", "-n", "0", "operator:add"], "0 is not in"),
        (&["call", "--sise", "2", "operator:add"], "--sise"),
        (&["cal"], "unrecognized subcommand"),
    ] {
        let (status, stdout, stderr) = portpool(args);
        assert_eq!((status, stdout.as_str()), (2, ""), "{args:?}");
        assert!(stderr.contains(says), "{args:?}: {stderr}");
    }
}

#[test]
fn a_pool_that_cannot_start_ends_with_3_and_pythons_own_error() {
    let temporary = std::env::temp_dir();
    let scratch = temporary.join(format!("portpool-test-{}-{}", std::process::id(), crate::harness::unique()));
    std::fs::create_dir(&scratch).unwrap();
    let script = |name: &str, text: &str, mode: u32| {
        use std::os::unix::fs::PermissionsExt;
        let path = scratch.join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let old = script("python3.8", "#!/bin/sh\nprintf 'portpool 3 8 18 %s' \"$0\"\n", 0o755);
    let plain = script("plain", "#!/bin/sh\necho hello\n", 0o644);
    let other = script("other", "#!/bin/sh\necho I am no Python >&2; exit 4\n", 0o755);
    let odd = script("odd", "no interpreter line", 0o755);
    let hangs = script(
        "dies-at-start",
        &format!("#!/bin/sh\ncase \"$1\" in -S) exec {} \"$@\";; esac\necho cannot start >&2; exit 5\n", python()),
        0o755,
    );
    let folder = scratch.to_str().unwrap().to_owned();
    for (name, says) in [
        ("/nowhere/python3", "option python: python \"/nowhere/python3\" does not exist"),
        ("no-such-python", "was not found in PATH"),
        (plain.as_str(), "is not an executable file"),
        (folder.as_str(), "is not an executable file"),
        (old.as_str(), "is version 3.8.18: 3.9 is the oldest that works"),
        (other.as_str(), "does not answer as a Python does (exit status 4): \"I am no Python\""),
        (odd.as_str(), "could not be run"),
    ] {
        let (status, stdout, stderr) = portpool(&["call", "--python", name, "operator:add", "1", "2"]);
        assert_eq!((status, stdout.as_str()), (3, ""), "{name}: {stderr}");
        assert!(stderr.contains(says), "{name}: {stderr}");
    }
    let (status, _, stderr) = portpool(&["call", "--python", &hangs, "operator:add", "1", "2"]);
    // The question was answered with the real interpreter's path, so the shim is out of the way.
    assert_eq!(status, 0, "{stderr}");
    let broken = scratch.join("sitecustomize.py");
    std::fs::write(&broken, "raise SystemExit('this installation is broken')\n").unwrap();
    let mut command = std::process::Command::new(program());
    command.args(["call", "--python", python(), "operator:add", "1", "2"]).env("PYTHONPATH", &scratch);
    let output = Command::from_std(command).timeout(crate::harness::SOON).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("this installation is broken"), "{stderr}");
    let (status, _, stderr) = call(&["--python-path", "/nowhere/at/all", "operator:add", "1", "2"]);
    assert_eq!(status, 3);
    assert!(stderr.contains("option python_path: \"/nowhere/at/all\" does not exist"), "{stderr}");
    std::fs::remove_dir_all(&scratch).unwrap();
}

#[test]
fn many_calls_run_at_once_and_are_summed_up() {
    let (status, stdout, stderr) = call(&["-n", "200", "--concurrency", "8", "--size", "2", "operator:add", "1", "2"]);
    assert_eq!((status, stdout), (0, "3\n".repeat(200)));
    assert!(stderr.starts_with("portpool: 200 calls, 0 failed, "), "{stderr}");
    let (status, _, stderr) = call(&["-n", "3", "os:_exit", "7"]);
    assert_eq!(status, 1);
    assert!(stderr.contains("portpool: 3 calls, 3 failed"), "{stderr}");
    assert!(stderr.contains("worker_exit: the worker died while it ran os:_exit: exit status 7"), "{stderr}");
}
