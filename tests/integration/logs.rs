//! What Python prints and logs, as packets for the owner. docs/protocol.md 14, docs/worker_protocol.md 7.

use eetf::Term;

use crate::harness::processes::{self, assert_dies};
use crate::harness::term::{atom, count, element, elements, get, int, list, map, name, number, string, text};
use crate::harness::{Server, Signpost};

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

/// Asks for a flush; the texts of the lines that come before its reply.
fn flush(server: &mut Server) -> Vec<String> {
    let id = server.request("flush", []);
    let mut lines = Vec::new();
    loop {
        let packet = server.receive();
        if name(&packet) == "log" {
            lines.push(string(&get(&element(&packet, 1), "text")));
            continue;
        }
        assert_eq!((number(&element(&packet, 1)), element(&element(&packet, 2), 1)), (id, atom("flushed")));
        lines.sort();
        return lines;
    }
}

#[test]
fn a_flush_is_answered_after_all_that_was_printed_before_also_by_calls_that_run() {
    for round in 0..20 {
        let mut server = Server::start([("size", int(2)), ("wait", atom("all")), ("logs", atom("owner"))]);
        let (said, done) = (Signpost::new(), Signpost::new());
        server.cast(("logs", "says_and_waits"), [text("here"), said.text(), done.text()], &[]);
        while !said.is_up() {
            std::thread::yield_now();
        }
        assert_eq!(flush(&mut server), ["here", "here from a child", "here to stderr"], "round {round}");
        assert!(flush(&mut server).is_empty());
        done.put_up();
        assert!(server.reply().1.is_ok());
    }
}

#[test]
fn a_flush_has_the_lines_of_the_template_too_and_is_answered_while_nothing_is_ready() {
    let done = Signpost::new();
    let preload = list([text("prints_and_waits_at_import")]);
    let mut server = Server::silent();
    server.hello([
        ("size", int(1)),
        ("wait", atom("none")),
        ("logs", atom("owner")),
        ("preload", preload),
        ("env", map([("WAITS_FOR", done.text())])),
    ]);
    assert_eq!(name(&server.receive()), "ready");
    let mut lines = Vec::new();
    while lines.is_empty() {
        lines = flush(&mut server);
    }
    assert_eq!(lines, ["printed at import"]);
    done.put_up();
    server.call(("echo", "pid"), []).unwrap();
}

#[test]
fn without_the_option_a_flush_is_answered_too() {
    let mut server = Server::start([("size", int(1))]);
    assert!(flush(&mut server).is_empty());
}

#[test]
fn warnings_of_the_server_come_to_the_owner_and_to_stderr() {
    let mut server = server();
    let pids = server.call(("forked", "daemon"), []).unwrap();
    let [worker, daemon] = [0, 1].map(|place| u32::try_from(number(&elements(&pids)[place])).unwrap());
    processes::signal(worker, rustix::process::Signal::KILL);
    let packet = server.receive();
    let line = element(&packet, 1);
    assert_eq!(
        (name(&packet), get(&line, "stream"), get(&line, "level")),
        ("log".into(), atom("server"), atom("warning"))
    );
    assert_eq!((get(&line, "worker"), get(&line, "call"), get(&line, "logger")), (int(1), atom("nil"), atom("nil")));
    let says = format!("killed a process that the dead worker left behind pid={daemon}");
    assert_eq!(string(&get(&line, "text")), says);
    assert_dies(daemon);
    server.close_stdin();
    let (_, log) = server.wait();
    assert!(log.lines().any(|line| line.contains("WARN") && line.contains("left behind")), "{log}");
}
