//! A defect in the server itself: it ends and reports it. docs/protocol.md 12.

use std::process::Command;

use portpool::telemetry;

/// With this in the environment this test is the program that has the defect.
const DEFECTIVE: &str = "PORTPOOL_TEST_DEFECTIVE";

#[test]
fn a_panic_in_any_task_ends_the_process_with_70_and_one_line() {
    if std::env::var_os(DEFECTIVE).is_some() {
        telemetry::exit_on_panic();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let task = tokio::spawn(async { panic!("on purpose") });
            assert!(task.await.is_ok(), "the panic was swallowed");
        });
        return;
    }
    let this = "faults::defect::a_panic_in_any_task_ends_the_process_with_70_and_one_line";
    let mut child = Command::new(std::env::current_exe().unwrap());
    let output = child.args([this, "--exact", "--nocapture"]).env(DEFECTIVE, "1").output().unwrap();
    assert_eq!(output.status.code(), Some(70));
    let stderr = String::from_utf8(output.stderr).unwrap();
    let line = stderr.lines().find(|line| line.contains("a defect, please report it")).unwrap();
    assert!(line.starts_with("portpool: ") && stderr.contains("on purpose"), "{stderr}");
}
