//! Runs the real program and talks to it like a BEAM: packets in, packets out. At the end of a test, nothing of it may
//! be left.

pub mod chance;
pub mod command;
pub mod processes;
pub mod summary;
pub mod term;

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use eetf::Term;
use processes::Mark;
use term::{atom, int, map, text, tuple};

/// How long a test waits for something that is to come at once.
pub const SOON: Duration = Duration::from_secs(20);

/// The program under test.
pub fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_portpool"))
}

/// The real interpreter, resolved once: `python3` may be a shim.
pub fn python() -> &'static str {
    static PYTHON: OnceLock<String> = OnceLock::new();
    PYTHON.get_or_init(|| {
        std::env::var("PORTPOOL_TEST_PYTHON").ok().filter(|path| !path.is_empty()).unwrap_or_else(|| {
            let asked = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().unwrap();
            String::from_utf8(asked.stdout).unwrap().trim().to_owned()
        })
    })
}

/// Each Python that workers may meet, from the oldest on: of every version from 3.9 that is in PATH or in pyenv, and the tests' own last.
pub fn pythons() -> Vec<String> {
    let pyenv = Path::new(
        &std::env::var("PYENV_ROOT")
            .unwrap_or_else(|_| format!("{}/.pyenv", std::env::var("HOME").unwrap_or_default())),
    )
    .join("versions");
    let folders: Vec<PathBuf> = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .filter(|folder| !folder.ends_with("shims"))
        .chain(std::fs::read_dir(pyenv).into_iter().flatten().flatten().map(|entry| entry.path().join("bin")))
        .collect();
    let names = (9..=15).flat_map(|minor| [format!("python3.{minor}"), format!("python3.{minor}t")]);
    let found =
        names.filter_map(|name| folders.iter().map(|folder| folder.join(&name)).find(|python| python.is_file()));
    found.map(|python| python.to_str().unwrap().to_owned()).chain([python().to_owned()]).collect()
}

/// The folder of the misbehaving workers.
pub fn workers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/workers")
}

/// The command that serves.
pub fn serve() -> Command {
    let mut command = Command::new(program());
    command.arg("serve");
    command
}

/// How the owner reads packets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reads {
    /// As they come.
    All,
    /// When they are asked for.
    OneByOne,
}

fn read_packet(stdout: &mut impl Read) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    stdout.read_exact(&mut length).ok()?;
    let mut packet = vec![0; u32::from_be_bytes(length) as usize];
    stdout.read_exact(&mut packet).ok()?;
    Some(packet)
}

/// A running server.
pub struct Server {
    child: Child,
    stdin: Option<ChildStdin>,
    packets: Receiver<Vec<u8>>,
    /// One for each packet, where they are read one by one.
    asks: Option<Sender<()>>,
    unread: Option<ChildStderr>,
    stderr: Option<thread::JoinHandle<String>>,
    mark: Mark,
    next_id: u64,
}

impl Server {
    /// A server that has not been told anything yet.
    pub fn silent() -> Self {
        Self::by(serve())
    }

    /// The same, with a stderr that nobody reads.
    pub fn unheard() -> Self {
        Self::launch(serve(), Reads::All)
    }

    /// The same, of an owner who reads a packet when it is received and not before.
    pub fn slowly_read() -> Self {
        Self::launch(serve(), Reads::OneByOne).heard()
    }

    /// The same, started by this command, which is to become the server.
    pub fn by(command: Command) -> Self {
        Self::launch(command, Reads::All).heard()
    }

    fn launch(mut command: Command, reads: Reads) -> Self {
        let mark = Mark::new();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        mark.put_on(&mut command);
        let mut child = command.spawn().unwrap();
        let (sender, packets) = channel();
        let (asks, asked) = channel();
        let mut stdout = child.stdout.take().unwrap();
        thread::spawn(move || {
            while reads == Reads::All || asked.recv().is_ok() {
                let Some(packet) = read_packet(&mut stdout) else { break };
                if sender.send(packet).is_err() {
                    break;
                }
            }
        });
        let asks = (reads == Reads::OneByOne).then_some(asks);
        let (stdin, unread) = (child.stdin.take(), child.stderr.take());
        Self { child, stdin, packets, asks, unread, stderr: None, mark, next_id: 1 }
    }

    fn heard(mut self) -> Self {
        let mut stderr = self.unread.take().unwrap();
        self.stderr = Some(thread::spawn(move || {
            let mut text = Vec::new();
            stderr.read_to_end(&mut text).unwrap();
            String::from_utf8_lossy(&text).into_owned()
        }));
        self
    }

    /// A server that got these options on top of the tests' own: the real Python, and `tests/workers` to import from.
    pub fn start<'a>(options: impl IntoIterator<Item = (&'a str, Term)>) -> Self {
        let mut server = Self::silent();
        server.hello(options);
        let ready = server.receive();
        assert_eq!(term::name(&ready), "ready", "{ready}");
        server
    }

    pub fn hello<'a>(&mut self, options: impl IntoIterator<Item = (&'a str, Term)>) {
        let options: Vec<_> = options.into_iter().collect();
        let has_python = options.iter().any(|(key, _)| matches!(*key, "python" | "venv"));
        let own = (!has_python).then(|| ("python", text(python())));
        let path = ("python_path", term::list([text(workers().to_str().unwrap())]));
        self.send(&tuple([atom("hello"), int(1), map(own.into_iter().chain([path]).chain(options))]));
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn mark(&self) -> &Mark {
        &self.mark
    }

    pub fn send(&mut self, term: &Term) {
        self.send_packet(&term::encode(term));
    }

    pub fn send_packet(&mut self, packet: &[u8]) {
        let mut bytes = u32::try_from(packet.len()).unwrap().to_be_bytes().to_vec();
        bytes.extend_from_slice(packet);
        self.send_bytes(&bytes);
    }

    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.stdin.as_mut().unwrap().write_all(bytes).unwrap();
    }

    /// Writes these bytes so many times beside the test, which a server that does not read thus does not hold up.
    pub fn flood(&mut self, bytes: Vec<u8>, times: usize) -> thread::JoinHandle<ChildStdin> {
        let mut stdin = self.stdin.take().unwrap();
        thread::spawn(move || {
            (0..times).for_each(|_| stdin.write_all(&bytes).unwrap());
            stdin
        })
    }

    /// Goes on where a flood has ended.
    pub fn resume(&mut self, flood: thread::JoinHandle<ChildStdin>) {
        self.stdin = Some(flood.join().unwrap());
    }

    pub fn receive_packet(&self) -> Vec<u8> {
        self.asks.iter().for_each(|asks| asks.send(()).unwrap());
        self.packets.recv_timeout(SOON).unwrap_or_else(|error| panic!("no packet came: {error}"))
    }

    pub fn receive(&self) -> Term {
        term::decode(&self.receive_packet())
    }

    /// Nothing has come that was not received, and the server has ended so that nothing can.
    pub fn assert_nothing_more(&self) {
        self.asks.iter().for_each(|asks| asks.send(()).unwrap_or_default());
        match self.packets.recv_timeout(SOON) {
            Err(RecvTimeoutError::Disconnected) => {}
            Ok(packet) => panic!("one packet too many: {}", term::decode(&packet)),
            Err(RecvTimeoutError::Timeout) => panic!("the server does not end"),
        }
    }

    /// Sends a call and returns its id.
    pub fn cast(&mut self, function: (&str, &str), args: impl IntoIterator<Item = Term>, opts: &[(&str, Term)]) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let args = term::list(args);
        let opts = map(opts.iter().map(|(key, value)| (*key, value.clone())));
        self.send(&tuple([atom("call"), int(id), atom(function.0), atom(function.1), args, opts]));
        id
    }

    /// Sends a request of this name, its id and these elements; the id.
    pub fn request<const N: usize>(&mut self, name: &str, elements: [Term; N]) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let all: Vec<Term> = [atom(name), int(id)].into_iter().chain(elements).collect();
        self.send(&eetf::Tuple::from(all).into());
        id
    }

    /// Gives a call or a lease up.
    pub fn send_cancel(&mut self, id: u64) {
        self.send(&tuple([atom("cancel"), int(id)]));
    }

    /// The next reply: its id, and the value or the error.
    pub fn reply(&self) -> (u64, Result<Term, Failure>) {
        let reply = self.receive();
        assert_eq!(term::name(&reply), "reply", "{reply}");
        let outcome = term::element(&reply, 2);
        let body = term::element(&outcome, 1);
        let result = match term::name(&outcome).as_str() {
            "ok" => Ok(body),
            "error" => Err(Failure(body)),
            other => panic!("neither ok nor error: {other}"),
        };
        (term::number(&term::element(&reply, 1)), result)
    }

    /// Makes a call when none is in flight and waits for its reply.
    pub fn call(&mut self, function: (&str, &str), args: impl IntoIterator<Item = Term>) -> Result<Term, Failure> {
        self.call_with(function, args, &[])
    }

    pub fn call_with(
        &mut self,
        function: (&str, &str),
        args: impl IntoIterator<Item = Term>,
        opts: &[(&str, Term)],
    ) -> Result<Term, Failure> {
        let id = self.cast(function, args, opts);
        let (to, result) = self.reply();
        assert_eq!(to, id, "a reply to another call");
        result
    }

    pub fn ask(&mut self, what: &str) -> Term {
        let id = self.request(what, []);
        let (to, result) = self.reply();
        assert_eq!(to, id);
        result.unwrap()
    }

    /// Has it end in good order; it has no workers then.
    pub fn drain(&mut self) {
        let id = self.request("drain", [map([])]);
        let (to, result) = self.reply();
        assert_eq!(to, id);
        result.unwrap();
    }

    pub fn status(&mut self) -> Term {
        self.ask("status")
    }

    /// Asks for the status until it is as it should be.
    pub fn wait_for_status(&mut self, what: &str, is_so: impl Fn(&Term) -> bool) -> Term {
        let end = Instant::now() + SOON;
        loop {
            let status = self.status();
            if is_so(&status) {
                return status;
            }
            assert!(Instant::now() < end, "{what}: it did not come to that: {status}");
        }
    }

    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        processes::signal(self.pid(), signal);
    }

    /// Waits for the end; the status and what was said on stderr.
    pub fn wait(&mut self) -> (ExitStatus, String) {
        let end = Instant::now() + SOON;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                let text = self.stderr.take().map(|thread| thread.join().unwrap()).unwrap_or_default();
                return (status, text);
            }
            assert!(Instant::now() < end, "the server does not end");
            thread::yield_now();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stdin = None;
        if thread::panicking() {
            let _ = self.child.kill();
            let _ = self.child.wait();
            if let Some(thread) = self.stderr.take() {
                eprintln!("--- the server said:\n{}---", thread.join().unwrap_or_default());
            }
            return;
        }
        self.wait();
        self.mark.assert_gone();
    }
}

/// The error of a call: docs/protocol.md 9.
#[derive(PartialEq)]
pub struct Failure(Term);

impl std::fmt::Debug for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl Failure {
    pub fn reason(&self) -> String {
        term::atom_name(&term::get(&self.0, "reason"))
    }

    pub fn phase(&self) -> String {
        term::atom_name(&term::get(&self.0, "phase"))
    }

    pub fn blame(&self) -> String {
        term::atom_name(&term::get(&self.0, "blame"))
    }

    pub fn message(&self) -> String {
        term::string(&term::get(&self.0, "message"))
    }

    pub fn detail(&self, key: &str) -> Term {
        term::get(&term::get(&self.0, "detail"), key)
    }

    pub fn of(error: Term) -> Self {
        Self(error)
    }
}

/// A path at which there is nothing, until somebody puts something there. It is gone after the test.
pub struct Signpost(PathBuf);

impl Signpost {
    pub fn new() -> Self {
        Self(std::env::temp_dir().join(format!("portpool-test-{}-{}", std::process::id(), unique())))
    }

    /// The same, with an empty folder there.
    pub fn folder() -> Self {
        let folder = Self::new();
        std::fs::create_dir(folder.path()).unwrap();
        folder
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn text(&self) -> Term {
        text(self.0.to_str().unwrap())
    }

    pub fn put_up(&self) {
        std::fs::write(&self.0, "").unwrap();
    }

    pub fn take_down(&self) {
        std::fs::remove_file(&self.0).unwrap();
    }

    pub fn is_up(&self) -> bool {
        self.0.exists()
    }

    /// What is written on it, once it is up.
    pub fn lines(&self) -> Vec<String> {
        let end = Instant::now() + SOON;
        while !self.is_up() {
            assert!(Instant::now() < end, "{} is not there", self.0.display());
        }
        std::fs::read_to_string(&self.0).unwrap().lines().map(str::to_owned).collect()
    }
}

impl Drop for Signpost {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A free number for files that must not meet.
pub fn unique() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
