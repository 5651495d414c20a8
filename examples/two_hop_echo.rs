//! The floor of a port program with a Python worker behind it: bytes go from the owner through this process to Python
//! and back, unread.
//!
//! `two_hop_echo PYTHON`. Two threads, one per direction, pass on whatever arrives. The worker waits for a whole
//! packet, since no function can be called with half an argument, and sends it back: no codec, no pool, no checks.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::thread;

/// The size that the server gives its pipes, and the size of a read.
const PIPE: usize = 1 << 20;

const WORKER: &str = include_str!("two_hop_echo.py");

fn main() -> io::Result<()> {
    let python = std::env::args().nth(1).unwrap_or_else(|| "python3".to_owned());
    let (here, there) = UnixStream::pair()?;
    let mut worker =
        Command::new(python).args(["-I", "-S", "-c", WORKER]).stdin(Stdio::from(OwnedFd::from(there))).spawn()?;
    let (mut input, mut output) = (owned(rustix::stdio::stdin())?, owned(rustix::stdio::stdout())?);
    // Beyond a limit per user this is refused, to the server as well.
    let _ = rustix::pipe::fcntl_setpipe_size(&input, PIPE);
    let _ = rustix::pipe::fcntl_setpipe_size(&output, PIPE);

    let (mut to_worker, mut from_worker) = (here.try_clone()?, here);
    let back = thread::spawn(move || pass_on(&mut from_worker, &mut output));
    let there = pass_on(&mut input, &mut to_worker);
    // The owner is gone: the worker sees the end, ends, and so does the way back.
    to_worker.shutdown(Shutdown::Write)?;
    worker.wait()?;
    let back = back.join().unwrap_or_else(|_| Err(io::Error::other("the way back has panicked")));
    there.and(back)
}

/// A descriptor without a buffer.
fn owned(descriptor: impl AsFd) -> io::Result<File> {
    Ok(File::from(descriptor.as_fd().try_clone_to_owned()?))
}

fn pass_on(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; PIPE];
    loop {
        let count = from.read(&mut buffer)?;
        let Some(come) = buffer.get(..count).filter(|come| !come.is_empty()) else { return Ok(()) };
        to.write_all(come)?;
    }
}
