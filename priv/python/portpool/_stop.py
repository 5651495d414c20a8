"""Stops calls for the server: an interrupt that hits only this call, and a dump of where Python was. docs/worker_protocol.md 6.

Both go through a memory file of this process, which the server opens by its name in /proc. It begins with three numbers of
eight bytes: the call to interrupt, whether this process should end, and after how many milliseconds a coroutine that swallows
its cancellation is cancelled again. faulthandler writes its dump after them.
"""

from __future__ import annotations

import faulthandler
import os
import signal

from portpool import _replacement

TYPE_CHECKING = False  # see _boot.py
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# The number of the call whose function runs now, 0 between calls. A list, because that is the cheapest to write to.
in_hand = [0]
# What cancels that call, where raising KeyboardInterrupt would not end it: it is a coroutine, and runs in an event loop.
# It gets the seconds after which it is to look whether that was swallowed.
cancel: list[Callable[[float], None] | None] = [None]
# Whether the worker's event loop runs, once there is one.
loop_runs: list[Callable[[], bool] | None] = [None]

# Twins of src/worker/stop.rs.
_NAME = "portpool"
_DUMP_SIGNAL = 16  # SIGSTKFLT: no kernel sends it and no library uses it. `signal` has no name for it before 3.11.
_NUMBER = 8
_TERMINATE_AT = 8
_PAUSE_AT = 16
_DUMP_AT = 24

_file = -1


def get_ready() -> None:
    """Create the memory file. A forked process does this again, for its own file."""
    global _file
    if _file >= 0:
        os.close(_file)
    _file = _memory_file()
    if _file >= 0:
        os.pwrite(_file, bytes(_DUMP_AT), 0)
        os.lseek(_file, _DUMP_AT, os.SEEK_SET)
        # With `chain` the signal goes on to what was there before, the default: this process ends when the dump is complete, and
        # the server need not ask whether it is. The handler is C, so it also runs while other C code holds the GIL.
        faulthandler.register(_DUMP_SIGNAL, file=_file, all_threads=True, chain=True)


def _memory_file() -> int:
    try:
        return os.memfd_create(_NAME)
    except OSError:
        return -1
    except AttributeError:  # A Python that was built on an old system; the C library of this one may know better.
        return _memory_file_by_c()


def _memory_file_by_c() -> int:
    MFD_CLOEXEC = 1
    try:
        import ctypes

        return int(ctypes.CDLL(None).memfd_create(_NAME.encode(), MFD_CLOEXEC))
    except (ImportError, AttributeError):
        return -1


def interrupt(number: int, frame: Any) -> None:
    """Raise KeyboardInterrupt in the call that the server means, or cancel it, and no other.

    The server's signal and our reply may cross: Python decides when this runs, and by then the call may have ended and the next
    one begun. So the server first writes which call it means, and this checks it. The number is used only once: a second
    signal must not hit the code that describes the first one's exception.
    """
    call = in_hand[0]
    if call and call == _number_at(0):
        in_hand[0] = 0
        _replacement.note_imports()
        if cancel[0] is not None:
            return cancel[0](_number_at(_PAUSE_AT) / 1000)
        if loop_runs[0] is not None and loop_runs[0]():
            # A function runs the worker's loop by itself. What it runs there would go on when the loop runs next.
            _replacement.ask("a call was interrupted while it ran the event loop itself", True)
        raise KeyboardInterrupt


def terminate(number: int, frame: Any) -> None:
    """End this process as SIGTERM does, if the server sent it; a SIGTERM from elsewhere is meant for the owner."""
    if _number_at(_TERMINATE_AT):
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)


def _number_at(place: int) -> int:
    try:
        return int.from_bytes(os.pread(_file, _NUMBER, place), "little")
    except OSError:  # The call has closed descriptors that are not its own.
        return 0
