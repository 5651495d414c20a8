"""Copies: processes that a function forks without starting another program. docs/worker_protocol.md 1.7

A copy has the worker's whole stack: where the function returns, the worker's loop would go on in two processes. So a copy has no
channel, and it ends where the function ends, with the status that Python would have given.
"""

from __future__ import annotations

import os
import signal
import sys
from _thread import _local, get_ident

from portpool import _library

TYPE_CHECKING = False  # see _boot.py
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType
    from typing import Any, NoReturn

# The descriptors of the channel; none in a copy.
channel: list[int] = []
# The process that the channel belongs to.
_owner = os.getpid()
_first_thread = get_ident()
_of_thread = _local()

_getpid = os.getpid


def take(descriptors: Iterable[int]) -> None:
    """Make this process the owner of a channel. What it forks from now on is a copy."""
    global _owner, _first_thread
    _owner = _getpid()
    _first_thread = get_ident()
    channel[:] = descriptors


def is_copy() -> bool:
    """Return whether this process is a copy. Asks the system, since C code forks without telling Python."""
    return _getpid() != _owner


def guard(function: Callable[..., Any], *args: Any) -> None:
    """Run the function that is a worker's whole life. A copy that leaves it, or fails at the missing channel, ends here."""
    try:
        function(*args)
    except BaseException as error:
        if is_copy():
            leave(None if _is_ours(error) else error)
        raise
    if is_copy():
        leave()


def leave(error: BaseException | None = None) -> NoReturn:
    """End a copy as Python ends a program that has finished or has raised this. Exit handlers are left to the worker."""
    status = 1
    try:
        status = _status(error)
        _wait_for_threads()
        if not _flush():
            status = 120  # That is Python's word for it.
        if isinstance(error, KeyboardInterrupt):
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.kill(_getpid(), signal.SIGINT)
    finally:
        os._exit(status)


def _status(error: BaseException | None) -> int:
    """Print what was raised, as Python does, and return the exit status."""
    if error is None:
        return 0
    if not isinstance(error, SystemExit):
        error.__traceback__ = _without_ours(error.__traceback__)
        sys.excepthook(type(error), error, error.__traceback__)
        return 130 if isinstance(error, KeyboardInterrupt) else 1
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF if abs(error.code) >> 63 == 0 else 0xFF
    print(error.code, file=sys.stderr)
    return 1


def _without_ours(trace: TracebackType | None) -> TracebackType | None:
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith("<portpool>"):
        trace = trace.tb_next
    return trace


def _is_ours(error: BaseException) -> bool:
    """Return whether code of this package raised it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_code.co_filename.startswith("<portpool>")


def _wait_for_threads() -> None:
    threading = _library.genuine("threading")
    while threading is not None:
        current = threading.current_thread()
        others = [thread for thread in threading.enumerate() if thread is not current and not thread.daemon]
        if not others:
            return
        others[0].join()


def _flush() -> bool:
    """Write what is still in the buffers of Python and of C."""
    done = True
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except AttributeError:
            pass  # It was set to None, or to something that is not a file.
        except (OSError, ValueError):
            done = False
    ctypes = _library.genuine("ctypes")
    if ctypes is not None:
        ctypes.CDLL(None).fflush(None)
    return done


class _ThreadEnd:
    """Ends a copy that was forked from a thread at the end of that thread, which is its only one."""

    __slots__ = ()

    def __del__(self) -> None:
        leave()


def _in_copy() -> None:
    for descriptor in channel:
        try:
            os.close(descriptor)
        except OSError:
            pass  # The function has closed it.
    channel.clear()
    if get_ident() != _first_thread:
        _of_thread.end = _ThreadEnd()


os.register_at_fork(after_in_child=_in_copy)
