//! Descriptors 0 and 1: reserved for the port, read and written without blocking.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use bytes::BytesMut;
use rustix::fs::{FileType, Mode, OFlags};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;

/// The size of the pipes where the system allows it: a 16 MiB packet takes half the time.
const PIPE: usize = 1 << 20;
/// How much of a file to read at once.
const READ: usize = 64 << 10;

/// The source of packets.
#[derive(Debug)]
pub struct Input(Stream<pipe::Receiver>);

/// The destination of packets.
#[derive(Debug)]
pub struct Output(Stream<pipe::Sender>);

#[derive(Debug)]
enum Stream<P> {
    /// Pipes, sockets and terminals: the system reports when they are ready.
    Polled(P),
    /// Files and /dev/null, which are always ready.
    File(File),
}

/// Takes 0 and 1 for the port. Afterwards 0 is /dev/null and 1 is stderr, so that no print can disturb the protocol.
pub fn take_stdio() -> io::Result<(Input, Output)> {
    let input = own(rustix::stdio::stdin(), "/proc/self/fd/0", OFlags::RDONLY)?;
    let output = own(rustix::stdio::stdout(), "/proc/self/fd/1", OFlags::WRONLY)?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    rustix::stdio::dup2_stdout(rustix::stdio::stderr())?;
    let input = match input {
        Stream::Polled(fd) => Stream::Polled(pipe::Receiver::from_owned_fd_unchecked(fd)?),
        Stream::File(file) => Stream::File(file),
    };
    let output = match output {
        Stream::Polled(fd) => Stream::Polled(pipe::Sender::from_owned_fd_unchecked(fd)?),
        Stream::File(file) => Stream::File(file),
    };
    Ok((Input(input), Output(output)))
}

/// A descriptor of our own, non-blocking. It is reopened where possible, because the flag belongs to the open file,
/// which others may share. A socket cannot be reopened, but its end is ours alone.
fn own(fd: BorrowedFd<'_>, path: &str, access: OFlags) -> io::Result<Stream<OwnedFd>> {
    let kind = FileType::from_raw_mode(rustix::fs::fstat(fd)?.st_mode);
    if matches!(kind, FileType::RegularFile | FileType::Directory) || is_null(fd) {
        return Ok(Stream::File(File::from(rustix::io::fcntl_dupfd_cloexec(fd, 3)?)));
    }
    let opened = rustix::fs::open(path, access | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY, Mode::empty());
    let owned = match opened {
        Ok(owned) => owned,
        Err(_) => rustix::io::fcntl_dupfd_cloexec(fd, 3)?,
    };
    rustix::io::ioctl_fionbio(&owned, true)?;
    if kind == FileType::Fifo {
        // Beyond a limit per user this is refused; a smaller pipe is only slower.
        let _ = rustix::pipe::fcntl_setpipe_size(&owned, PIPE);
    }
    Ok(Stream::Polled(owned))
}

fn is_null(fd: BorrowedFd<'_>) -> bool {
    let device = |fd: BorrowedFd<'_>| rustix::fs::fstat(fd).ok().map(|stat| stat.st_rdev);
    File::open("/dev/null").is_ok_and(|null| device(null.as_fd()) == device(fd) && device(fd) != Some(0))
}

impl Input {
    /// Reads what is there, at least one byte; 0 at the end. The buffer must have room.
    ///
    /// Cancellation: may be dropped at any await; nothing has been read then.
    pub async fn read(&mut self, buffer: &mut BytesMut) -> io::Result<usize> {
        match &mut self.0 {
            Stream::Polled(pipe) => pipe.read_buf(buffer).await,
            Stream::File(file) => {
                tokio::task::yield_now().await;
                let mut piece = [0; READ];
                let size = file.read(&mut piece)?;
                buffer.extend_from_slice(piece.get(..size).unwrap_or_default());
                Ok(size)
            }
        }
    }
}

impl Output {
    /// Writes some of the bytes, at least one.
    ///
    /// Cancellation: may be dropped at any await; nothing has been written then.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Stream::Polled(pipe) => loop {
                match pipe.try_write(bytes) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => pipe.writable().await?,
                    done => return done,
                }
            },
            Stream::File(file) => file.write(bytes),
        }
    }

    /// Waits until nobody can read any more, where the system reports that: for pipes. A socket reports it at the next
    /// write.
    ///
    /// Cancellation: may be dropped at any time.
    pub async fn closed(&self) {
        match &self.0 {
            Stream::Polled(pipe) => {
                while pipe.ready(tokio::io::Interest::ERROR).await.is_ok_and(|ready| !ready.is_error()) {}
            }
            Stream::File(_) => std::future::pending().await,
        }
    }
}
