//! Runs the program as a shell command to its end, and checks that it leaves nothing behind.

use assert_cmd::Command;

use super::processes::Mark;
use super::{SOON, program, python};

/// Runs it in a folder; its status and what it has written to stdout and stderr.
pub fn portpool_in(folder: &str, args: &[&str]) -> (i32, String, String) {
    let mark = Mark::new();
    let mut command = std::process::Command::new(program());
    mark.put_on(&mut command);
    command.current_dir(folder).env_remove("RUST_BACKTRACE");
    let output = Command::from_std(command).args(args).timeout(SOON).output().unwrap();
    mark.assert_gone();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// The same in a folder without modules.
pub fn portpool(args: &[&str]) -> (i32, String, String) {
    portpool_in("/", args)
}

/// The same, for a command that takes `--python`, with the tests' own.
pub fn with_python(command: &str, args: &[&str]) -> (i32, String, String) {
    portpool(&[&[command, "--python", python()], args].concat())
}
