"""The frames of the channel: docs/worker_protocol.md 2 to 4. Twin of `src/worker/wire.rs`."""

from __future__ import annotations

import os
from struct import Struct

TYPE_CHECKING = False  # see _boot.py
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Union

    Chunk = Union[bytes, bytearray, memoryview]

PROTOCOL = 1

# docs/worker_protocol.md 3
CALL = 1

# docs/worker_protocol.md 4
HELLO = 1
RESULT = 2
RAISED = 3
UNDEF = 4
UNENCODABLE = 5
TOO_LARGE = 6

# docs/worker_protocol.md 2.1: length, kind, two reserved fields, call
HEADER = Struct("<IBBHQ")
HEADER_SIZE = HEADER.size

_READ = 65536
# The kernel takes at most IOV_MAX (1024) pieces in one write.
_PIECES = 512


class ProtocolError(Exception):
    """The server sent something that is no frame. There is nobody to tell but the log."""


def read_call(channel: int) -> tuple[int, Chunk] | None:
    """Waits for the next call and reads it whole: its number and body; None when the server has closed the channel."""
    data = os.read(channel, _READ)
    if not data:
        return None
    while len(data) < HEADER_SIZE:
        data += _some(channel, HEADER_SIZE - len(data))
    length, kind, flags, buffers, call = HEADER.unpack_from(data)
    if kind != CALL or flags or buffers:
        raise ProtocolError(f"a frame of kind {kind}, flags {flags}, buffers {buffers}")
    if len(data) == HEADER_SIZE + length:
        return call, memoryview(data)[HEADER_SIZE:]
    return call, _read_rest(channel, data, length)


def _read_rest(channel: int, data: bytes, length: int) -> bytearray:
    """Reads a large body into one buffer of its size."""
    body = bytearray(length)
    view = memoryview(body)
    have = len(data) - HEADER_SIZE
    view[:have] = data[HEADER_SIZE:]
    while have < length:
        got = os.readv(channel, [view[have:]])
        if not got:
            raise ProtocolError("the channel was closed inside a frame")
        have += got
    return body


def _some(channel: int, size: int) -> bytes:
    data = os.read(channel, size)
    if not data:
        raise ProtocolError("the channel was closed inside a header")
    return data


def write_frame(channel: int, kind: int, call: int, chunks: Sequence[Chunk], length: int) -> None:
    """Writes one frame, whose body is `chunks`, `length` bytes together, without copying them into one."""
    pieces: list[Chunk] = [HEADER.pack(length, kind, 0, 0, call), *chunks]
    left = HEADER_SIZE + length
    while True:
        written = os.writev(channel, pieces[:_PIECES])
        left -= written
        if not left:
            return
        _drop(pieces, written)


def _drop(pieces: list[Chunk], written: int) -> None:
    """Takes what was written off the front of the pieces."""
    whole = 0
    while written >= len(pieces[whole]):
        written -= len(pieces[whole])
        whole += 1
    del pieces[:whole]
    pieces[0] = memoryview(pieces[0])[written:]
