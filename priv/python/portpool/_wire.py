"""The frames of the channel: docs/worker_protocol.md 2 to 4. Twin of `src/worker/wire.rs`."""

from __future__ import annotations

import os
from io import BytesIO
from select import POLLIN, poll
from struct import Struct
from time import monotonic

from portpool import _copies

TYPE_CHECKING = False  # see _boot.py
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Union

    Chunk = Union[bytes, bytearray, memoryview]
    # The worker's ends: what the server sends is read from the first, answers are written to the second.
    Channel = tuple[int, int]

PROTOCOL = 1

# docs/worker_protocol.md 3
CALL = 1
PING = 2
FORK = 3

# docs/worker_protocol.md 4
HELLO = 1
RESULT = 2
RAISED = 3
UNDEF = 4
UNENCODABLE = 5
TOO_LARGE = 6
FAILED = 7
PONG = 8
REPLACE = 9
FORKED = 10
UNFIT = 11

# docs/worker_protocol.md 2.1: length, kind, flags, number of buffers or time, call
HEADER = Struct("<IBBHQ")
HEADER_SIZE = HEADER.size

# Looked up once: these are what each call takes.
_unpack_from = HEADER.unpack_from
_pack = HEADER.pack
_read = os.read
_write = os.write
_sched_yield = getattr(os, "sched_yield", None)  # Not every system has it.
_monotonic = monotonic
_is_copy = _copies.is_copy

# docs/worker_protocol.md 2.4
SHORT = 512
_SHORT_BODY = SHORT - HEADER_SIZE
# Pieces of up to this many bytes in total are joined, which takes less time than passing them one by one.
_SMALL = 4096
# The kernel takes at most IOV_MAX (1024) pieces in one write.
_PIECES = 512
# After this many unsuccessful waits in a row it sleeps at once; but every 64th wait still polls.
_PATIENCE = 8
_PROBE = 64


class ProtocolError(Exception):
    """The server sent something that is not a frame. It can only be reported to the log."""


def wait_for(channel: Channel, busy: float = 0) -> Callable[[], object]:
    """Return a function that waits until there is something to read, polling for the first `busy` seconds.

    It waits in `poll`: a worker that is killed while it sleeps in a read may still take bytes out of the pipe as it dies. The server,
    which asks the pipe, would then have to assume that it had begun a call that it never saw.
    """
    os.set_blocking(channel[0], False)
    orders = poll()
    orders.register(channel[0], POLLIN)
    look = orders.poll
    if not busy or _sched_yield is None:
        return look
    # Twin of src/busy_poll.rs, with the same numbers.
    in_vain = 0

    def wait() -> None:
        nonlocal in_vain
        if in_vain < _PATIENCE or in_vain % _PROBE == 0:
            until = _monotonic() + busy
            while not look(0):
                if _monotonic() > until:
                    break
                _sched_yield()
            else:
                in_vain = 0
                return
        in_vain += 1
        look()

    return wait


def read_call(channel: Channel, wait: Callable[[], object]) -> tuple[int, Chunk, Sequence[bytes]] | None:
    """Wait for the next call and read all of it: its number, pickle and buffers; None when the server has closed the channel.

    It answers pings in the meantime: only a worker that waits for a call gets any.
    """
    orders, answers = channel
    while True:
        wait()
        if _is_copy():
            _copies.leave()  # A signal handler has forked it in C: it must not take the worker's call.
        try:
            data = _read(orders, SHORT)
        except BlockingIOError:
            continue  # The server has taken the call back.
        if not data:
            return None
        if len(data) < HEADER_SIZE:
            data += _some(orders, HEADER_SIZE - len(data))
        length, kind, flags, buffers, call = _unpack_from(data)
        if length <= _SHORT_BODY and len(data) < SHORT and not buffers:
            data += _some(orders, SHORT - len(data))
        if kind == CALL and not flags:
            break
        if kind != PING or flags or length:
            raise ProtocolError(f"a frame of kind {kind}, flags {flags}, length {length}")
        write_frame(answers, PONG, 0, (), 0)
    if length <= _SHORT_BODY and not buffers:
        return call, data[HEADER_SIZE : HEADER_SIZE + length], ()
    ahead = memoryview(data)[HEADER_SIZE:]
    if buffers:
        return (call, *_read_buffers(orders, ahead, length, buffers))
    body = bytearray(length)
    _fill(orders, memoryview(body), ahead)
    return call, body, ()


def await_end(channel: Channel) -> None:
    """Wait until the server has closed the channel, without reading anything."""
    end = poll()
    end.register(channel[0], 0)
    end.poll()


def _read_buffers(orders: int, ahead: memoryview, length: int, count: int) -> tuple[Chunk, list[bytes]]:
    """Read a body with buffers; `ahead` is what was read with the header. docs/worker_protocol.md 2.3"""
    table = bytearray(8 * count)
    ahead = _fill(orders, memoryview(table), ahead)
    sizes = Struct(f"<{count}Q").unpack(table)
    left = length - len(table) - sum(sizes)
    if left < 0:
        raise ProtocolError(f"a body of {length} bytes, and {count} buffers of {sum(sizes)}")
    body = bytearray(left)
    ahead = _fill(orders, memoryview(body), ahead)
    buffers = []
    for size in sizes:
        buffer, ahead = _read_bytes(orders, ahead, size)
        buffers.append(buffer)
    return body, buffers


def _read_bytes(orders: int, ahead: memoryview, size: int) -> tuple[bytes, memoryview]:
    """Read into a single `bytes`, without a copy.

    A BytesIO takes over the object that it is created with and returns it as its value. In between it exposes its memory. It is
    CPython that avoids the copy; elsewhere the value is still right.
    """
    file = BytesIO(bytes(size))
    with file.getbuffer() as view:
        ahead = _fill(orders, view, ahead)
    return file.getvalue(), ahead


def _fill(orders: int, view: memoryview, ahead: memoryview) -> memoryview:
    """Fill `view` from what was read ahead, then from the channel; returns what is still ahead."""
    have = min(len(view), len(ahead))
    view[:have] = ahead[:have]
    rest = ahead[have:]
    while have < len(view):
        try:
            got = os.readv(orders, [view[have:]])
        except BlockingIOError:
            _await_more(orders)
            continue
        if not got:
            raise ProtocolError("the channel was closed inside a frame")
        have += got
    return rest


def _some(orders: int, size: int) -> bytes:
    data = bytearray(size)
    _fill(orders, memoryview(data), memoryview(b""))
    return bytes(data)


def _await_more(orders: int) -> None:
    """Wait until there is more of a frame that is longer than a short one, and so has to be read bit by bit."""
    more = poll()
    more.register(orders, POLLIN)
    more.poll()


def write_frame(answers: int, kind: int, call: int, chunks: Sequence[Chunk], length: int, run: int = 0) -> None:
    """Write one frame with the body `chunks`, `length` bytes in total; large chunks are not copied into one. `run` is how long the
    function of the call has run, in microseconds."""
    left = HEADER_SIZE + length
    pieces: list[Chunk] = [_pack(length, kind, 0, run, call), *chunks]
    if left < _SMALL:
        pieces = [b"".join(pieces)]
    while True:
        written = _write(answers, pieces[0]) if len(pieces) == 1 else os.writev(answers, pieces[:_PIECES])
        left -= written
        if not left:
            return
        _drop(pieces, written)


def _drop(pieces: list[Chunk], written: int) -> None:
    """Remove what was written from the front of the pieces."""
    whole = 0
    while written >= len(pieces[whole]):
        written -= len(pieces[whole])
        whole += 1
    del pieces[:whole]
    pieces[0] = memoryview(pieces[0])[written:]
