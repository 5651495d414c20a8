"""The worker's loop: one call in, one reply out. docs/worker_protocol.md 3 and 4."""

from __future__ import annotations

import os
import sys
from time import perf_counter_ns

from portpool import _copies, _replacement, _wire
from portpool._calls import run
from portpool._codec import dumps, loads, lower_recursion_limit
from portpool._copies import is_copy
from portpool._lines import current
from portpool._say import short_name, told, type_name
from portpool._signals import take_back as take_back_signals
from portpool._stop import in_hand
from portpool._wire import read_call, write_frame

TYPE_CHECKING = False  # see _boot.py
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from portpool._memory import MemoryWatch
    from portpool._wire import Channel, Chunk

    # The kind of a frame and the pieces of its body.
    Reply = tuple[int, list[Chunk]]

_MESSAGE = 8 << 10
# The header of a reply has two bytes for the microseconds that a function took.
_LONGEST = 0xFFFF


def serve(channel: Channel, max_frame: int, max_memory: int | None = None, busy_poll: int = 0) -> None:
    """Say hello, and run calls until the server closes the channel."""
    answers = channel[1]
    send(answers, 0, (_wire.HELLO, dumps(hello())), max_frame)
    watch = _watch(max_memory) if max_memory else None
    reasons = _replacement.reasons
    wait = _wire.wait_for(channel, busy_poll / 1e6)
    while True:
        frame = read_call(channel, wait)
        if frame is None:
            return
        call, body, buffers = frame
        del frame
        current[0] = call
        began = perf_counter_ns()
        reply = answer(body, buffers, call)
        run = (perf_counter_ns() - began) // 1000
        current[0] = 0
        del body, buffers
        if is_copy():
            _copies.leave()  # An encoder has forked it.
        take_back_signals()
        is_last = bool(reasons) and ask_for_replacement(answers)
        send(answers, call, reply, max_frame, run if run < _LONGEST else _LONGEST)
        del reply  # Nothing of a call is kept while the worker waits for the next one.
        if is_last:
            return _wire.await_end(channel)
        if watch and watch.has_grown():
            _replacement.ask("its memory exceeds max_memory", False)
            ask_for_replacement(answers)
            watch = None


def ask_for_replacement(answers: int) -> bool:
    """Tell the server why this worker must be replaced. It precedes the reply, so that the worker gets no other call if it must not.

    Returns whether it must not: then it leaves what the server has sent ahead, to be taken back.
    """
    is_last = any(at_once for _, at_once in _replacement.reasons)
    for reason, at_once in _replacement.reasons:
        chunks = dumps({"message": reason, "at_once": at_once})
        write_frame(answers, _wire.REPLACE, 0, chunks, _length(chunks))
    _replacement.reasons.clear()
    return is_last


def _watch(max_memory: int) -> MemoryWatch:
    from portpool._memory import MemoryWatch

    return MemoryWatch(max_memory)


def hello() -> dict[str, Any]:
    return {
        "protocol": _wire.PROTOCOL,
        "pid": os.getpid(),
        "python": "%d.%d.%d" % sys.version_info[:3],
        "executable": os.fsencode(sys.executable or "").decode("utf-8", "replace"),
        "codec": "pickle5",
        "path": [os.fsencode(entry).decode("utf-8", "replace") for entry in sys.path if type(entry) is str],
    }


def send(answers: int, call: int, reply: Reply, max_frame: int, run: int = 0) -> None:
    kind, chunks = reply
    length = _length(chunks)
    if length > max_frame:
        from portpool import _errors

        if kind == _wire.RESULT:
            kind, fields = _wire.TOO_LARGE, _errors.too_large(length, max_frame)
        else:
            fields = _errors.shortened(loads(b"".join(chunks)), max_frame)
        chunks = dumps(fields)
        length = _length(chunks)
    write_frame(answers, kind, call, chunks, length, run)


def _length(chunks: Sequence[Chunk]) -> int:
    return len(chunks[0]) if len(chunks) == 1 else sum(map(len, chunks))


def answer(body: Chunk, buffers: Sequence[bytes] = (), call: int = 0) -> Reply:
    """Run one call. Whatever the function does, there is a reply, even for `sys.exit` and KeyboardInterrupt."""
    try:
        # While this holds the number of the call, an interrupt of it raises KeyboardInterrupt: see _stop.py.
        in_hand[0] = call
        try:
            result = run(body, buffers)
        finally:
            in_hand[0] = 0
            if is_copy():
                _copies.leave(sys.exc_info()[1])
        return _wire.RESULT, dumps(result)
    except BaseException as error:
        if issubclass(type(error), MemoryError):
            _replacement.ask("a call ran out of memory and may have left the worker in a bad state", False)
        kind, fields = describe(error)
        return kind, dumps(fields)


def describe(error: BaseException) -> tuple[int, dict[str, Any]]:
    """Return the kind of the frame for an error, and its fields: docs/worker_protocol.md 4."""
    limit = sys.getrecursionlimit()
    lower_recursion_limit()
    try:
        from portpool import _errors

        return _errors.describe(error)
    except BaseException as second:  # a hostile exception, no memory left, or nothing can be imported
        return _wire.RAISED, last_resort(error, second)
    finally:
        sys.setrecursionlimit(limit)


def last_resort(error: BaseException, second: BaseException) -> dict[str, Any]:
    """Describe an error without any import, if it cannot be described otherwise."""
    message = told(error)[:_MESSAGE]
    text = _writable(f"{message} (and {short_name(type(second))} while it was described)")
    return {"message": text, "type": _writable(type_name(type(error))), "traceback": text + "\n", "frames": []}


def _writable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
