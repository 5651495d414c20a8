//! README.md for a newcomer: what it shows works exactly as shown.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::harness::processes::Mark;
use crate::harness::{program, python};

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The code blocks of README.md in this language.
fn blocks(language: &str) -> Vec<String> {
    blocks_of("README.md", language)
}

fn blocks_of(document: &str, language: &str) -> Vec<String> {
    let text = fs::read_to_string(file(document)).unwrap();
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

/// Runs all blocks of a document as one module, then its functions whose names begin with `test_`.
const RUN: &str = "\
import sys
exec(compile(sys.stdin.read(), 'blocks', 'exec'), globals())
for test in [value for name, value in list(globals().items()) if name.startswith('test_')]:
    test()
";

#[test]
fn the_python_of_the_readmes_and_of_the_types_runs() {
    for (document, count) in [("README.md", 1), ("priv/python/README.md", 2), ("docs/types.md", 2)] {
        let blocks = blocks_of(document, "python");
        assert_eq!(blocks.len(), count, "{document}");
        let mut command = Command::new(python());
        command.args(["-c", RUN]).env("PYTHONPATH", file("priv/python")).env("PORTPOOL_BINARY", program());
        let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(blocks.join("\n").as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{document}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
