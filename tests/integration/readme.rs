//! README.md for a newcomer: what it shows works exactly as shown.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::harness::processes::Mark;
use crate::harness::{program, python};

/// The code blocks of README.md in this language.
fn blocks(language: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).map(|rest| rest.split_once("```").unwrap().0.to_owned()).collect()
}

/// A PATH where `python3` is the real interpreter.
fn path() -> String {
    let folder = Path::new(python()).parent().unwrap().to_str().unwrap();
    format!("{folder}:{}", std::env::var("PATH").unwrap())
}

#[test]
fn the_erlang_of_the_readme_runs() {
    let [block] = blocks("erlang").try_into().unwrap();
    let code = format!(
        "Program = \"{}\", {} halt(0).",
        program().display(),
        block.trim_end().trim_end_matches('.').to_owned() + ","
    );
    let mark = Mark::new();
    let mut erl = Command::new("erl");
    mark.put_on(&mut erl);
    let output = erl.args(["-noshell", "-eval", &code]).env("PATH", path()).output().unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    mark.assert_gone();
}

#[test]
fn the_commands_of_the_readme_print_what_it_says() {
    let mut checked = 0;
    for block in blocks("console") {
        for command in block.split("$ ").skip(1) {
            let (line, expected) = command.split_once('\n').unwrap();
            let line = line.replacen("portpool", program().to_str().unwrap(), 1);
            let output = Command::new("sh").args(["-c", &line]).env("PATH", path()).current_dir("/").output().unwrap();
            assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
            assert_eq!(String::from_utf8(output.stdout).unwrap(), expected, "{line}");
            checked += 1;
        }
    }
    assert!(checked >= 4);
}
