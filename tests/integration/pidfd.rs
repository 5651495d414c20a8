//! A server without pidfds, as under valgrind or in some sandboxes: a filter refuses them, and deaths are seen anyway.

use std::process::Command;

use crate::harness::processes::{assert_dies, is_alive, is_killed};
use crate::harness::term::{get, int, list, number, string, text};
use crate::harness::{Server, Signpost, program, python};

/// Becomes the program that it is given, for which there are no such system calls as `pidfd_open` and `pidfd_send_signal`.
const WITHOUT_PIDFDS: &str = r#"
import ctypes, os, struct, sys

PIDFD_SEND_SIGNAL, PIDFD_OPEN = 424, 434
LOAD, EQUALS, RETURN = 0x20, 0x15, 0x06
ALLOW, ENOSYS = 0x7FFF0000, 0x00050000 | 38
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2

steps = [(LOAD, 0, 0, 0), (EQUALS, 2, 0, PIDFD_SEND_SIGNAL), (EQUALS, 1, 0, PIDFD_OPEN), (RETURN, 0, 0, ALLOW), (RETURN, 0, 0, ENOSYS)]
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))

class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_void_p)]

libc = ctypes.CDLL(None, use_errno=True)
program = Program(len(steps), ctypes.addressof(code))
if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program)):
    sys.exit(os.strerror(ctypes.get_errno()))
os.execv(sys.argv[1], sys.argv[1:])
"#;

fn without_pidfds() -> Server {
    let mut command = Command::new(python());
    command.args(["-c", WITHOUT_PIDFDS]).arg(program()).arg("serve");
    Server::by(command)
}

#[test]
fn without_pidfds_a_worker_that_dies_or_takes_too_long_is_replaced() {
    let mut server = without_pidfds();
    server.hello([("size", int(1))]);
    server.receive();
    assert_eq!(server.call(("operator", "add"), [int(1), int(2)]), Ok(int(3)));
    let error = server.call(("os", "_exit"), [int(7)]).unwrap_err();
    assert_eq!((error.reason().as_str(), error.detail("status")), ("worker_exit", int(7)));
    let pid = number(&server.call(("os", "getpid"), []).unwrap());
    let error = server.call_with(("time", "sleep"), [int(60)], &[("timeout", int(100))]).unwrap_err();
    assert_eq!(error.reason(), "timeout");
    assert!(!is_alive(u32::try_from(pid).unwrap()), "it was killed before the reply");
    assert_eq!(server.call(("operator", "add"), [int(1), int(2)]), Ok(int(3)));
}

#[test]
fn without_pidfds_a_template_forks_and_its_workers_are_watched() {
    let mut server = without_pidfds();
    server.hello([("size", int(1)), ("preload", list([text("json")]))]);
    server.receive();
    let error = server.call(("os", "kill"), [int(0), int(9)]).unwrap_err();
    assert_eq!((error.reason().as_str(), error.detail("signal")), ("worker_exit", int(9)));
    assert_eq!(string(&server.call(("json", "dumps"), [list([int(1)])]).unwrap()), "[1]");
    assert_eq!(number(&get(&server.status(), "restarts")), 1);
}

#[test]
fn without_pidfds_what_a_worker_has_started_is_killed_although_its_resource_tracker_is_not() {
    let mut server = without_pidfds();
    server.hello([("size", int(1))]);
    server.receive();
    let said = Signpost::new();
    let id = server.cast(("shared", "with_a_child"), [said.text()], &[]);
    let child: u32 = said.lines()[0].parse().unwrap();
    server.send_cancel(id);
    assert_eq!(server.reply().1.unwrap_err().reason(), "cancelled");
    // The kernel may still be at work on its end.
    assert!(is_killed(child), "it was killed before the reply");
    assert_dies(child);
}
