//! `portpool call`: the examples in README.md, and errors.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::process::Stdio;

use assert_cmd::Command;

use crate::harness::command::{portpool, portpool_in, with_python};
use crate::harness::processes::Mark;
use crate::harness::{SOON, Signpost, program, python, workers};

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
fn what_begins_like_json_is_json_and_other_words_are_strings() {
    let given =
        ["2024-01-01", "10.0.0.7", "next", "True", "NaN", "01", "", " 1", "1,5", "'[1]'", "-", "-1", "1e3", "true"];
    let shown = r#"["2024-01-01","10.0.0.7","next","True","NaN","01",""," 1","1,5","'[1]'","-",-1,1000.0,true"#;
    let more = ["null", "\"1\"", "[1]", "{\"a\": {}}", "\"\\ud83d\\ude00\""];
    let folder = workers();
    let keywords = ["--python-path", folder.to_str().unwrap(), "echo:keywords"];
    let (status, stdout, stderr) = call(&[&keywords[..], &given, &more].concat());
    let shown = format!("[{shown},null,\"1\",[1],{{\"a\":{{}}}},\"\u{1f600}\"],{{}}]\n");
    assert_eq!((status, stdout), (0, shown), "{stderr}");
}

#[test]
fn an_argument_that_begins_like_json_and_is_not_is_shown_with_its_place() {
    let (status, stdout, stderr) = call(&["builtins:print", "1", "[1, 2,]"]);
    assert_eq!((status, stdout.as_str()), (2, ""));
    let says = "portpool: argument 2 cannot be read as JSON: expected a value, found ] (character 7)\n    [1, 2,]\n          ^\n\
                An argument that begins with {, [ or \" is read as JSON. To pass arguments as strings, add --raw.\n";
    assert_eq!(stderr, says);
    let deep = format!("{}1", "[".repeat(128));
    for (args, says) in [
        (&["f:g", "1e999"][..], "argument 1 cannot be read as JSON: the number is too large for a float (character 1)"),
        (&["f:g", "{\"a\": 1, \"a\": 2}"], "this object already has the key \"a\" (character 10)"),
        (
            &["f:g", "{\n\"a\" 1}"],
            "expected a colon after the key, found a number (line 2, character 5)\n    \"a\" 1}\n        ^\n",
        ),
        (&["f:g", "\"\\ud800\""], "\\ud800 is half of a surrogate pair"),
        (&["f:g", &deep], "expected a comma or ], found the end (character 130)"),
        (&["f:g", "--kwargs", "{\"a\": tru}"], "--kwargs must be a JSON object: tru is not a JSON value"),
        (&["f:g", "--kwargs", "[1]"], "expected an object, as in {\"seed\": 7}, found [ (character 1)"),
        (&["f:g", "--kwargs", "x"], "--kwargs must be a JSON object: x is not a JSON value"),
        (&["f:g", "--kwargs", "{\"a\": 1, \"a\": 2}"], "already has the key"),
        (&["f:g", "--kwargs", ""], "found the end"),
    ] {
        for command in ["call", "bench"] {
            let (status, stdout, stderr) = portpool(&[&[command], args].concat());
            assert_eq!((status, stdout.as_str()), (2, ""), "{args:?}");
            assert!(stderr.contains(says), "{args:?}: {stderr}");
        }
    }
}

#[test]
fn with_raw_all_arguments_are_strings() {
    let (status, stdout, stderr) = call(&["--raw", "operator:add", "[1, 2,]", "7"]);
    assert_eq!((status, stdout.as_str()), (0, "\"[1, 2,]7\"\n"), "{stderr}");
}

#[test]
fn arguments_may_nest_as_deep_as_a_command_line_is_long() {
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(20_000), close.repeat(20_000));
    for (arg, length) in [(deep("[", "]"), 1), (deep("{\"a\":", "}").replace(":}", ":1}"), 1), ("[]".to_owned(), 0)] {
        let (status, stdout, stderr) = call(&["builtins:len", &arg]);
        assert_eq!((status, stdout), (0, format!("{length}\n")), "{stderr}");
    }
    // It has no form that is so deep in Python's own text, which is an error like any other.
    let (status, _, stderr) = call(&["builtins:repr", &deep("[", "]")]);
    assert_eq!(status, 1);
    assert!(stderr.contains("RecursionError"), "{stderr}");
}

#[test]
fn arguments_that_are_no_text_are_refused_by_their_number() {
    for (args, says) in [
        (&[&b"f:g"[..], b"1", b"caf\xe9"][..], "argument 2 is not UTF-8 (byte 4): \"caf\\xE9\""),
        (&[b"f:g", b"--kwargs", b"{\"a\": \"\xff\"}"], "--kwargs is not UTF-8 (byte 8)"),
        (&[b"f\xff:g"], "invalid UTF-8 was detected in one or more arguments"),
        (&[b"f:g", b"--env", b"A=\xff"], "invalid UTF-8 was detected in one or more arguments"),
    ] {
        let mut command = Command::new(program());
        command.arg("call").args(args.iter().map(|arg| OsStr::from_bytes(arg)));
        let output = command.timeout(SOON).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), &b""[..]), "{stderr}");
        assert!(stderr.contains(says), "{stderr}");
    }
}

#[test]
fn paths_in_options_need_not_be_text() {
    let folder = Signpost::new();
    let odd = folder.path().join(OsStr::from_bytes(b"caf\xe9"));
    std::fs::create_dir_all(&odd).unwrap();
    std::fs::write(odd.join("in_there.py"), "def f(): return 'found'\n").unwrap();
    std::os::unix::fs::symlink(python(), odd.join("python")).unwrap();
    let mut command = Command::new(program());
    command.arg("call").arg("--python").arg(odd.join("python")).arg("--python-path").arg(&odd).arg("in_there:f");
    let output = command.env("LC_ALL", "C").timeout(SOON).output().unwrap();
    assert_eq!(output.stdout, b"\"found\"\n", "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn raw_output_is_text_without_quotes_and_bytes_with_nothing_added() {
    for (args, output) in [
        (&["builtins:str.upper", "h\"e\ny"][..], "H\"E\nY\n"),
        (&["builtins:bytes", "[104, 105]"], "hi"),
        (&["builtins:bytearray", "[104, 10]"], "h\n"),
        (&["builtins:list", "\"ab\""], "[\"a\",\"b\"]\n"),
        (&["builtins:len", "ab"], "2\n"),
        (&["builtins:print"], "null\n"),
        (&["datetime:date", "2024", "2", "29"], "2024-02-29\n"),
    ] {
        let (status, stdout, stderr) = call(&[&["--output", "raw"], args].concat());
        assert_eq!((status, stdout.as_str()), (0, output), "{args:?}: {stderr}");
    }
    let (status, stdout, stderr) = call(&["--output", "raw", "builtins:chr", "55296"]);
    assert_eq!((status, stdout.as_str()), (1, ""));
    assert!(stderr.contains("surrogate"), "{stderr}");
    let mut command = Command::new(program());
    command.args(["call", "--python", python(), "--output", "raw", "builtins:bytes", "[0, 255, 10]"]);
    assert_eq!(command.timeout(SOON).output().unwrap().stdout, [0, 255, 10]);
}

#[test]
fn variables_and_preloaded_modules_are_those_of_the_command() {
    let env = ["--env", "PORTPOOL_A=b=c", "--env", "PORTPOOL_B=", "--env", "PORTPOOL_B=2"];
    for preload in [&[][..], &["--preload", "decimal", "--preload", "json.decoder"]] {
        let args = [&env, preload].concat();
        assert_eq!(call(&[&args, &["os:getenv", "PORTPOOL_A"][..]].concat()).1, "\"b=c\"\n");
        assert_eq!(call(&[&args, &["os:getenv", "PORTPOOL_B"][..]].concat()).1, "\"2\"\n");
        let (_, stdout, stderr) = call(&[&args, &["sys:modules.__contains__", "decimal"][..]].concat());
        assert_eq!(stdout, format!("{}\n", !preload.is_empty()), "{stderr}");
    }
    let (status, stdout, stderr) = call(&["--preload", "nowhere", "builtins:len", "a"]);
    assert_eq!((status, stdout.as_str()), (3, ""));
    assert!(stderr.contains("preload of nowhere: ModuleNotFoundError: No module named 'nowhere'"), "{stderr}");
}

/// The first line of a command's stdout, which is closed then, and its status and stderr.
fn first_line(args: &[&str]) -> (i32, String, String) {
    let mark = Mark::new();
    let mut command = std::process::Command::new(program());
    mark.put_on(&mut command);
    let mut child = command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let output = child.wait_with_output().unwrap();
    mark.assert_gone();
    (output.status.code().unwrap(), line, String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_reader_that_has_seen_enough_ends_a_command_quietly() {
    let with_python = |command, more: &[&'static str]| [&[command, "--python", python()], more].concat();
    let packets = Signpost::new();
    std::fs::write(packets.path(), [0, 0, 0, 3, 131, 97, 7].repeat(100_000)).unwrap();
    for (args, line) in [
        (with_python("call", &["-n", "100000000", "operator:add", "1", "2"]), "3\n"),
        (with_python("call", &["-n", "100000000", "--output", "raw", "builtins:bytes", "[104, 10]"]), "h\n"),
        (with_python("bench", &["--time", "100ms", "--size", "1", "operator:add", "1", "2"]), "operator:add, "),
        (vec!["term", "--packets", packets.path().to_str().unwrap()], "%% packet 1 at byte 0: 3 bytes\n"),
        (vec!["--help"], "Runs Python functions in a pool of worker processes\n"),
        (vec!["call", "--help"], "Call a Python function and print its result\n"),
    ] {
        let (status, first, stderr) = first_line(&args);
        assert_eq!((status, stderr.as_str()), (0, ""), "{args:?}");
        assert!(first.starts_with(line), "{args:?}: {first}");
    }
}

#[test]
fn a_stdout_that_cannot_be_written_is_an_error_and_a_stderr_that_cannot_is_none() {
    let run = |stdout: Stdio, stderr: Stdio, args: &[&str]| {
        let mut command = std::process::Command::new(program());
        command.args(["call", "--python", python()]).args(args).stdout(stdout).stderr(stderr);
        let output = command.spawn().unwrap().wait_with_output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let full = || Stdio::from(File::options().write(true).open("/dev/full").unwrap());
    let (status, stderr) = run(full(), Stdio::piped(), &["operator:add", "1", "2"]);
    assert_eq!(
        (status, stderr.as_str()),
        (1, "portpool: stdout cannot be written: No space left on device (os error 28)\n")
    );
    assert_eq!(run(Stdio::null(), full(), &["-n", "2", "operator:add", "1", "2"]).0, 0, "the summary is lost, no more");
    assert_eq!(run(Stdio::null(), full(), &["operator:add", "1"]).0, 1);
    assert_eq!(run(Stdio::null(), full(), &["operator:add", "[1,]"]).0, 2);
}

#[test]
fn names_that_options_had_before_are_told_by_their_new_ones() {
    for (args, says) in [
        (&["--log", "warn", "call", "f:g"][..], "error: --log is now called --log-level\n"),
        (&["serve", "--log=warn"], "error: --log is now called --log-level\n"),
        (&["call", "--log", "warn", "f:g"], "error: --log is now called --log-level\n"),
        (&["bench", "--workers", "2", "f:g"], "error: --workers is now called --size\n"),
        (&["bench", "f:g", "--seconds=0.5"], "error: --seconds is now called --time\n"),
    ] {
        assert_eq!(portpool(args), (2, String::new(), says.to_owned()), "{args:?}");
    }
}

#[test]
fn log_verbosity_decides_what_python_prints() {
    let print = ["call", "--python", python(), "builtins:print", "hello"];
    for (level, is_shown) in [("info", true), ("warn", false), ("off", false)] {
        let (status, stdout, stderr) = portpool(&[&["--log-level", level], &print[..]].concat());
        assert_eq!((status, stdout.as_str(), stderr.contains("hello")), (0, "null\n", is_shown), "{level}: {stderr}");
    }
    // What was logged is not told again.
    let abort =
        ["call", "--python", python(), "builtins:exec", "import os, sys; print('hello', file=sys.stderr); os._exit(3)"];
    for level in ["info", "warn"] {
        let (_, _, stderr) = portpool(&[&["--log-level", level], &abort[..]].concat());
        let lines: Vec<&str> =
            stderr.lines().filter(|line| line.contains("hello") && !line.starts_with("portpool:")).collect();
        assert_eq!(lines.len(), 1, "{level}: {stderr}");
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
    let (status, stdout, stderr) = call(&["--raw", "json:loads", "{"]);
    assert_eq!((status, stdout.as_str()), (1, ""));
    assert!(stderr.starts_with("portpool: exception: JSONDecodeError: "), "{stderr}");
    assert!(stderr.contains("Traceback (most recent call last):"), "{stderr}");
    let (status, _, stderr) = call(&["builtins:int", "x"]);
    let says = "portpool: exception: ValueError: invalid literal for int() with base 10: 'x'\n";
    assert_eq!((status, stderr.as_str()), (1, says), "said once where there are no frames");
    let (status, _, stderr) = call(&["operator:add", "1"]);
    assert!(status == 1 && stderr.contains("operator.add(a, b, /) does not take these arguments"), "{stderr}");
    assert!(!stderr.contains("did you mean"), "{stderr}");
    let (status, _, stderr) = call(&["math:sqroot", "4"]);
    assert_eq!(status, 1);
    assert_eq!(stderr, "portpool: undef: math has no function sqroot\ndid you mean sqrt?\n");
    let (status, _, stderr) = call(&["nowhere:f"]);
    assert_eq!(status, 1);
    // In a virtual environment, it is named between the two.
    let (first, rest) = stderr.split_once('\n').unwrap();
    assert!(first.starts_with("portpool: undef: there is no module nowhere"), "{stderr}");
    assert!(rest.starts_with("looked in: "), "{stderr}");
    let (status, _, stderr) = call(&["--timeout", "0.2s", "time:sleep", "60"]);
    assert_eq!(status, 1);
    assert!(stderr.contains("portpool: timeout: time:sleep ran longer than 200 ms"), "{stderr}");
    let (_, _, stderr) = call(&["--timeout", "3s", "builtins:exec", "import time\ndef naps(): time.sleep(60)\nnaps()"]);
    assert!(stderr.contains(" in naps\n"), "where it was: {stderr}");
    let (status, _, stderr) = call(&["builtins:float", "nan"]);
    assert_eq!(status, 1);
    assert!(stderr.starts_with("portpool: the result cannot be printed as JSON: NaN and infinity"), "{stderr}");
}

#[test]
fn wrong_usage_ends_with_2_and_says_what_is_wrong() {
    for (args, says) in [
        (&["call"][..], "MODULE:FUNCTION"),
        (&["call", "operator.add", "1"], "expected MODULE:FUNCTION, such as operator:add"),
        (
            &["call", "--timeout", "soon", "operator:add"],
            "a number with a unit (ms, s, m or h), such as 200ms, 1.5s or 2m",
        ),
        (&["call", "--timeout", "0s", "operator:add"], "must be longer than 0"),
        (&["call", "--env", "X", "operator:add"], "expected KEY=VALUE, such as LANG=C"),
        (&["call", "--env", "=X", "operator:add"], "expected KEY=VALUE, such as LANG=C"),
        (&["call", "--output", "text", "operator:add"], "[possible values: json, raw]"),
        (&["call", "--log-level", "loud", "operator:add"], "[possible values: off, error, warn, info, debug]"),
        (&["call", "--preload", "", "operator:add"], "--preload"),
        (&["call", "--size", "0", "operator:add"], "0 is not in 1..=1024"),
        (&["call", "-n", "0", "operator:add"], "0 is not in"),
        (&["call", "--number", "0", "operator:add"], "0 is not in"),
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
    let old = script("python3.8", "#!/bin/sh\nprintf '\\nportpool:3:8:18:%d:cpython:%s' $$ \"$0\"\n", 0o755);
    let foreign = script(
        "pypy3",
        &format!(
            "#!/bin/sh\nexec {} -S -c \"import sys; sys.implementation.name = 'pypy'; exec(sys.argv[1])\" \"$3\"\n",
            python()
        ),
        0o755,
    );
    let plain = script("plain", "#!/bin/sh\necho hello\n", 0o644);
    let other = script("other", "#!/bin/sh\necho I am no Python >&2; exit 4\n", 0o755);
    let odd = script("odd", "no interpreter line", 0o755);
    let dies = script(
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
        (old.as_str(), "is version 3.8.18: Portpool needs 3.9 or newer"),
        (foreign.as_str(), ": Portpool needs CPython 3.9 or newer"),
        (foreign.as_str(), "pypy3\" is pypy 3."),
        (other.as_str(), "does not behave like Python (exit status 4): \"I am no Python\""),
        (odd.as_str(), "could not be run"),
    ] {
        let (status, stdout, stderr) = portpool(&["call", "--python", name, "operator:add", "1", "2"]);
        assert_eq!((status, stdout.as_str()), (3, ""), "{name}: {stderr}");
        assert!(stderr.contains(says), "{name}: {stderr}");
    }
    let (status, _, stderr) = portpool(&["call", "--python", &dies, "operator:add", "1", "2"]);
    assert_eq!(status, 3, "{stderr}");
    assert!(stderr.contains("exit status 5; its last line was: cannot start"), "{stderr}");
    // The first failed start is reported. A pool that lives on would try again.
    assert_eq!(stderr.matches("did not become ready").count(), 2, "once in the log, once as the error: {stderr}");
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
    let (status, _, stderr) = call(&["--number", "3", "os:_exit", "7"]);
    assert_eq!(status, 1);
    assert!(stderr.contains("portpool: 3 calls, 3 failed"), "{stderr}");
    assert!(stderr.contains("worker_exit: the worker died while running os:_exit: exit status 7"), "{stderr}");
}
