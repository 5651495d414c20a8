//! Takes calls back from the pipe of a worker: docs/worker_protocol.md 3.1. Each short frame in it is read by the worker or
//! by us, and by nobody else.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use rustix::fs::{Mode, OFlags};

use super::wire::{HEADER, SHORT};
use crate::call::CallId;

/// A short frame, and the call in it.
pub(super) type Taken = (CallId, [u8; SHORT]);

/// Returns whether this system lets us read our own end of a pipe.
pub fn can_take_back() -> bool {
    let Ok((_theirs, ours)) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC) else { return false };
    take(&ours).is_ok()
}

/// Reads all short frames that are in a pipe of which we have the end for writing.
///
/// The end for reading is opened for this moment only: with another reader, the death of the worker would not show.
pub(super) fn take(orders: impl AsFd) -> io::Result<Vec<Taken>> {
    let name = format!("/proc/self/fd/{}", orders.as_fd().as_raw_fd());
    let pipe = rustix::fs::open(name, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?;
    let (mut taken, mut frame) = (Vec::new(), [0; SHORT]);
    loop {
        match rustix::io::read(&pipe, &mut frame) {
            Ok(SHORT) => taken.extend(call(&frame)),
            Ok(_) | Err(rustix::io::Errno::AGAIN) => return Ok(taken),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The calls in short frames that were not written.
pub(super) fn calls(frames: &[u8]) -> impl Iterator<Item = Taken> {
    frames.chunks_exact(SHORT).filter_map(|frame| call(frame.try_into().ok()?))
}

fn call(frame: &[u8; SHORT]) -> Option<Taken> {
    let number = frame.get(8..HEADER)?.try_into().ok()?;
    Some((CallId(u64::from_le_bytes(number)), *frame))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::process::{Command, Stdio};

    use rustix::io::{FdFlags, fcntl_setfd};
    use rustix::pipe::{PipeFlags, pipe_with};

    use super::*;
    use crate::worker::wire::{ToWorker, short};

    /// Reads calls as a worker does, and writes the number of each.
    const READER: &str = "
import os, struct, sys
sys.path.insert(0, sys.argv[1])
from portpool import _wire
orders = int(sys.argv[2])
wait = _wire.wait_for((orders, 1), 1e-4)
while (frame := _wire.read_call((orders, 1), wait)) is not None:
    os.write(1, struct.pack('<Q', frame[0]))
";

    #[test]
    fn each_frame_is_read_by_the_worker_or_by_us_in_100_000_races() {
        const RACES: u64 = 100_000;
        let (theirs, ours) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        fcntl_setfd(&theirs, FdFlags::empty()).unwrap();
        let python = std::env::var("PORTPOOL_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let package = concat!(env!("CARGO_MANIFEST_DIR"), "/priv/python");
        let number = theirs.as_raw_fd().to_string();
        let mut reader =
            Command::new(python).args(["-I", "-c", READER, package, &number]).stdout(Stdio::piped()).spawn().unwrap();
        drop(theirs);
        let mut pipe: std::fs::File = ours.into();
        let mut answers = reader.stdout.take().unwrap();
        let (mut taken_back, mut read) = (0, 0);
        for race in 0..RACES {
            let calls = [2 * race, 2 * race + 1];
            let frames = calls.map(|call| short(ToWorker::Call, CallId(call), b"body").unwrap());
            pipe.write_all(&frames.concat()).unwrap();
            // A little later each time, so that the worker has read none, one or both.
            (0..race % 64 * 8).for_each(|_| std::hint::spin_loop());
            let taken: Vec<u64> = take(&pipe).unwrap().iter().map(|(call, _)| call.0).collect();
            taken_back += taken.len();
            for call in calls.into_iter().filter(|call| !taken.contains(call)) {
                let mut answer = [0; 8];
                answers.read_exact(&mut answer).unwrap();
                assert_eq!(u64::from_le_bytes(answer), call, "one frame, one reader, in order");
                read += 1;
            }
        }
        drop(pipe);
        assert_eq!(answers.read(&mut [0]).unwrap(), 0, "a frame was read twice");
        reader.wait().unwrap();
        assert_eq!(taken_back as u64 + read, 2 * RACES);
        assert!(taken_back > 0 && read > 0, "no race: {taken_back} taken back, {read} read");
    }
}
