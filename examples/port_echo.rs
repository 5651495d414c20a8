//! The floor of the benchmarks: a port program that sends each packet back unchanged.
//!
//! It has the same pipes as the server, of the same size, and nothing else: no runtime, no codec, no pool. No port
//! program can be faster.

use std::io::{self, Read, Write};

/// The size that the server gives its pipes.
const PIPE: usize = 1 << 20;

fn main() -> io::Result<()> {
    // Beyond a limit per user this is refused, to the server as well.
    let _ = rustix::pipe::fcntl_setpipe_size(rustix::stdio::stdin(), PIPE);
    let _ = rustix::pipe::fcntl_setpipe_size(rustix::stdio::stdout(), PIPE);
    let (mut input, mut output) = (io::stdin().lock(), std::fs::File::create("/dev/stdout")?);
    let (mut head, mut packet) = ([0; 4], Vec::new());
    loop {
        match input.read_exact(&mut head) {
            Err(end) if end.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            read => read?,
        }
        packet.clear();
        packet.extend_from_slice(&head);
        (&mut input).take(u32::from_be_bytes(head).into()).read_to_end(&mut packet)?;
        output.write_all(&packet)?;
    }
}
