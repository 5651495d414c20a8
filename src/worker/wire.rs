//! The frames of the channel: docs/worker_protocol.md 2 to 4. Twin of `priv/python/portpool/_wire.py`.

use std::time::Duration;

use bytes::Bytes;

use crate::call::CallId;

/// The version of the protocol.
pub(crate) const PROTOCOL: u64 = 1;
/// The encoding of values.
pub(super) const CODEC: &str = "pickle5";
/// The length of a header.
pub(super) const HEADER: usize = 16;
/// The length of a short frame: docs/worker_protocol.md 2.4. Whoever reads one reads all of it, and nothing else.
pub(super) const SHORT: usize = 512;

/// The kinds of frame sent to a worker: docs/worker_protocol.md 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ToWorker {
    /// Runs this call.
    Call = 1,
    /// Asks whether it is alive.
    Ping = 2,
    /// Forks a worker; only sent to a template.
    Fork = 3,
}

/// The kinds of frame sent by a worker: docs/worker_protocol.md 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FromWorker {
    /// It is ready.
    Hello = 1,
    /// The value that the function returned.
    Result = 2,
    /// The function raised.
    Raised = 3,
    /// The function does not exist, or does not take these arguments.
    Undef = 4,
    /// No term can represent what the function returned.
    Unencodable = 5,
    /// The result is larger than a frame may be.
    TooLarge = 6,
    /// It cannot become ready: what `preload`, `warmup`, `after_fork` or `init` raised.
    Failed = 7,
    /// It is alive.
    Pong = 8,
    /// It must be replaced, and says why.
    Replace = 9,
    /// From a template: the pid of the worker that it has forked.
    Forked = 10,
    /// From a template: it cannot fork workers.
    Unfit = 11,
}

impl FromWorker {
    const ALL: [Self; 11] = [
        Self::Hello,
        Self::Result,
        Self::Raised,
        Self::Undef,
        Self::Unencodable,
        Self::TooLarge,
        Self::Failed,
        Self::Pong,
        Self::Replace,
        Self::Forked,
        Self::Unfit,
    ];

    /// Returns whether it is an answer to a call.
    pub(super) fn answers_a_call(self) -> bool {
        matches!(self, Self::Result | Self::Raised | Self::Undef | Self::Unencodable | Self::TooLarge)
    }

    fn read(kind: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|known| *known as u8 == kind)
    }
}

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) length: usize,
    pub(super) kind: FromWorker,
    pub(super) call: CallId,
    /// How long the function of the call has run.
    pub(super) run: Duration,
}

impl Header {
    /// Reads the header of a frame from a worker, or says what is wrong with it. Allocates nothing for the length.
    pub(super) fn read(bytes: [u8; HEADER], max_frame: usize) -> Result<Self, String> {
        let [l0, l1, l2, l3, kind, flags, r0, r1, call @ ..] = bytes;
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        let Some(kind) = FromWorker::read(kind) else { return Err(format!("a frame of unknown kind {kind}")) };
        let run = u16::from_le_bytes([r0, r1]);
        if flags != 0 || (run != 0 && !kind.answers_a_call()) {
            return Err("a frame whose reserved fields are not 0".to_owned());
        }
        if length > max_frame {
            return Err(format!("a frame of {length} bytes, more than max_frame ({max_frame})"));
        }
        let run = Duration::from_micros(run.into());
        Ok(Self { length, kind, call: CallId(u64::from_le_bytes(call)), run })
    }
}

/// Writes the header of a frame to a worker, for a body of this length that begins with a table of this many buffers. A
/// body is made from a packet, which is smaller than 2 GiB, and each buffer has at least 64 KiB: both fit their fields.
pub(super) fn header(kind: ToWorker, call: CallId, buffers: usize, length: usize) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    let (head, number) = bytes.split_at_mut(8);
    let length = u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    let [b0, b1] = u16::try_from(buffers).unwrap_or(u16::MAX).to_le_bytes();
    head.copy_from_slice(&[length[0], length[1], length[2], length[3], kind as u8, 0, b0, b1]);
    number.copy_from_slice(&call.0.to_le_bytes());
    bytes
}

/// Writes a short frame, filled up with zeros; `None` if it would not be one.
pub(super) fn short(kind: ToWorker, call: CallId, body: &[u8]) -> Option<[u8; SHORT]> {
    let mut frame = [0; SHORT];
    let (head, rest) = frame.split_at_mut(HEADER);
    head.copy_from_slice(&header(kind, call, 0, body.len()));
    rest.get_mut(..body.len())?.copy_from_slice(body);
    Some(frame)
}

/// Writes the lengths of the buffers, which precede the pickle.
pub(super) fn table(buffers: &[Bytes]) -> Vec<u8> {
    buffers.iter().flat_map(|buffer| (buffer.len() as u64).to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_worker(length: u32, kind: u8, flags: u8, call: u64) -> [u8; HEADER] {
        let mut bytes = header(ToWorker::Call, CallId(call), 0, length as usize);
        bytes[4] = kind;
        bytes[5] = flags;
        bytes
    }

    #[test]
    fn a_header_is_read_as_it_was_written() {
        let header = Header::read(from_worker(77, 2, 0, u64::MAX), 77).unwrap();
        assert_eq!(
            header,
            Header { length: 77, kind: FromWorker::Result, call: CallId(u64::MAX), run: Duration::ZERO }
        );
    }

    #[test]
    fn the_number_of_buffers_stands_in_the_header_and_their_lengths_in_the_table() {
        let header = header(ToWorker::Call, CallId(3), 0x0102, 77);
        assert_eq!(header, [77, 0, 0, 0, 1, 0, 2, 1, 3, 0, 0, 0, 0, 0, 0, 0]);
        let table = table(&[Bytes::from_static(b"abc"), Bytes::new()]);
        assert_eq!(table, [3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn headers_that_break_the_protocol_are_refused() {
        for (bytes, says) in [
            (from_worker(0, 0, 0, 1), "unknown kind 0"),
            (from_worker(0, 12, 0, 1), "unknown kind 12"),
            (from_worker(0, 2, 1, 1), "reserved"),
            (from_worker(78, 2, 0, 1), "78 bytes"),
            (from_worker(u32::MAX, 2, 0, 1), "4294967295 bytes"),
        ] {
            let refusal = Header::read(bytes, 77).unwrap_err();
            assert!(refusal.contains(says), "{refusal}");
        }
    }
}
