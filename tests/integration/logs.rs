//! What Python prints and logs, as packets for the owner. docs/protocol.md 14, docs/worker_protocol.md 7.

use eetf::Term;

use crate::harness::Server;
use crate::harness::term::{atom, count, element, elements, get, int, name, string};

/// A server whose owner wants to hear what Python says.
fn server() -> Server {
    Server::start([("size", int(1)), ("logs", atom("owner"))])
}

/// What one line says: stream, level, logger, text.
type Said = (String, String, String, String);

/// The lines that come before the reply to this call, and that reply.
fn lines_of(server: &mut Server, function: &str) -> (Vec<Said>, Term) {
    server.cast(("logs", function), [], &[]);
    let mut lines = Vec::new();
    loop {
        let packet = server.receive();
        if name(&packet) != "log" {
            return (lines, element(&packet, 2));
        }
        let line = element(&packet, 1);
        assert_eq!((count(&line, "worker"), string(&get(&line, "call"))), (1, format!("logs:{function}")));
        let field = |key| match get(&line, key) {
            Term::Atom(atom) => atom.name,
            text => string(&text),
        };
        lines.push((field("stream"), field("level"), field("logger"), field("text")));
    }
}

fn said(stream: &str, level: &str, logger: &str, text: &str) -> Said {
    (stream.into(), level.into(), logger.into(), text.into())
}

#[test]
fn lines_come_before_the_reply_with_stream_level_and_logger() {
    let mut server = server();
    let (mut lines, _) = lines_of(&mut server, "as_it_is");
    let broke = lines.remove(lines.iter().position(|line| line.1 == "error").unwrap());
    assert!(broke.3.starts_with("it broke\nTraceback (most recent call last):\n"), "{}", broke.3);
    assert!(broke.3.ends_with("\nValueError: no such luck"), "{}", broke.3);
    lines.sort();
    assert_eq!(
        lines,
        [
            said("stderr", "info", "nil", "complained"),
            said("stderr", "warning", "jobs.load", "it is late"),
            said("stdout", "info", "nil", "printed"),
        ]
    );
}

#[test]
fn a_basic_configuration_decides_on_level_format_and_place() {
    let mut server = server();
    let (lines, _) = lines_of(&mut server, "configured");
    let expected = [said("stderr", "debug", "jobs.load", "looked"), said("stderr", "info", "root", "went on")];
    assert_eq!(lines, expected);
    let (lines, _) = lines_of(&mut server, "with_a_format");
    assert_eq!(lines, [said("stderr", "error", "jobs.load", "<formatted>")]);
    let (lines, _) = lines_of(&mut server, "with_a_stream");
    assert_eq!(lines, [said("stdout", "info", "nil", "INFO:jobs.load:to stdout")]);
}

#[test]
fn what_a_worker_says_last_is_heard_and_is_in_the_error_of_its_death() {
    let mut server = server();
    let (lines, reply) = lines_of(&mut server, "dies");
    assert_eq!(
        lines,
        [said("stderr", "error", "jobs.load", "going down"), said("stderr", "info", "nil", "last words")]
    );
    let error = element(&reply, 1);
    let stderr: Vec<String> = elements(&get(&get(&error, "detail"), "stderr")).iter().map(string).collect();
    assert_eq!(stderr, ["error: jobs.load: going down", "last words"]);
}

#[test]
fn without_the_option_lines_go_to_stderr_with_their_level() {
    let mut server = Server::start([("size", int(1))]);
    server.call(("logs", "as_it_is"), []).unwrap();
    server.close_stdin();
    let (_, log) = server.wait();
    let line = |text: &str| log.lines().find(|line| line.contains(text)).unwrap_or_else(|| panic!("{text}: {log}"));
    assert!(line("it is late").contains("WARN") && line("it is late").contains("jobs.load"), "{log}");
    assert!(line("printed").contains("INFO") && line("it broke").contains("ERROR"), "{log}");
}
