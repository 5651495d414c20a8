//! A real Python with the real package, which returns what it gets.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Reads calls (a little-endian length and a pickle), evaluates an expression over the arguments, and answers likewise:
/// a byte 0 and what `dumps` wrote, or a byte 1 and a refusal as text.
const LOOP: &str = r#"
import struct, sys, types
sys.path.insert(0, sys.argv[1])
from portpool import *
from portpool import _codec

# The module of all calls of these tests, which is imported before the first struct.
sys.modules["m"] = types.ModuleType("m")

def answer(body):
    try:
        module, function, args, kwargs = _codec.loads(body)
        value = eval(function, globals(), {"args": args, "kwargs": kwargs})
        return b"\0" + b"".join(_codec.dumps(value))
    except _codec.Unencodable as error:
        return b"\1" + f"{error.path}|{error.type_name}|{error.message}".encode()
    except Exception as error:
        return b"\1" + repr(error).encode()

while head := sys.stdin.buffer.read(4):
    reply = answer(sys.stdin.buffer.read(*struct.unpack("<I", head)))
    sys.stdout.buffer.write(struct.pack("<I", len(reply)) + reply)
    sys.stdout.buffer.flush()
"#;

pub struct Python {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
}

impl Python {
    pub fn start() -> Self {
        let python = std::env::var("PORTPOOL_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
        let package = concat!(env!("CARGO_MANIFEST_DIR"), "/priv/python");
        let mut child = Command::new(python)
            .args(["-I", "-c", LOOP, package])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python is needed: set PORTPOOL_TEST_PYTHON");
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().expect("piped"));
        Self { child, stdin, stdout }
    }

    /// What `dumps` makes of the value of the call's function, which is an expression over `args` and `kwargs`; or the
    /// refusal as `path|type|message`.
    pub fn call(&mut self, pickle: &[u8]) -> Result<Vec<u8>, String> {
        let stdin = self.stdin.as_mut().expect("open until the end");
        stdin.write_all(&u32::try_from(pickle.len()).expect("small").to_le_bytes()).expect("Python reads");
        stdin.write_all(pickle).expect("Python reads");
        stdin.flush().expect("Python reads");
        let mut head = [0; 4];
        self.stdout.read_exact(&mut head).expect("Python answers");
        let mut reply = vec![0; u32::from_le_bytes(head) as usize];
        self.stdout.read_exact(&mut reply).expect("Python answers in full");
        match reply.split_first() {
            Some((0, pickle)) => Ok(pickle.to_vec()),
            Some((_, refusal)) => Err(String::from_utf8(refusal.to_vec()).expect("UTF-8")),
            None => panic!("an empty answer"),
        }
    }

    /// The pickle of the value of an expression.
    pub fn eval(&mut self, expression: &str) -> Result<Vec<u8>, String> {
        let pickle = super::call(expression, &[106], None).expect("no arguments");
        self.call(&pickle)
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // End of file ends the loop.
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}
