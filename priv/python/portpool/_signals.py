"""Signals meant for the owner: SIGTERM, SIGINT, SIGHUP and SIGQUIT. docs/worker_protocol.md 6.4

The system often sends them to all processes of a service at once. The owner decides what happens to its workers, so a worker takes no
notice. It does not use SIG_IGN, because programs that it starts would inherit that. It installs handlers that do nothing, which a
new program never inherits.
"""

from __future__ import annotations

import os
import signal

# That of `signal` makes enumerations, which takes ten times as long.
from _signal import getsignal as _getsignal  # type: ignore[import-not-found]
from _thread import get_ident

from portpool import _stop

TYPE_CHECKING = False  # see _boot.py
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any


def _nothing(number: int, frame: Any) -> None:
    pass


# What a worker does at each of them: nothing, unless the server has said in the memory file that it is the sender.
_HANDLERS = {
    signal.SIGTERM: _stop.terminate,
    signal.SIGINT: _stop.interrupt,
    signal.SIGHUP: _nothing,
    signal.SIGQUIT: _nothing,
}
# Those that are blocked while a process is forked.
_BLOCKED = _HANDLERS.keys() - {signal.SIGINT}
_TERM, _INT, _HUP, _QUIT = map(int, _HANDLERS)
# As `_signal` has it: always the same object.
_DEFAULT = int(signal.SIG_DFL)
# What they are in a new Python.
_DEFAULTS = (signal.SIG_DFL, signal.SIG_IGN, signal.default_int_handler)

# Masks of threads that fork at this moment.
_masks: dict[int, Iterable[int]] = {}
# This process is about to fork another worker, or the process between.
_own_fork = False


def take() -> None:
    """Install the handlers where nobody has installed one, and unblock the signals.

    The server starts each process with these signals blocked. One that arrived earlier is handled now.
    """
    for number in _HANDLERS:
        if signal.getsignal(number) in _DEFAULTS:
            _install(number)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def take_back() -> None:
    """Install our handlers where a function has restored the default: closing an event loop with signal handlers does that.

    A default is not a handler of the function's own, and would end this process. This runs after each call, so it must be quick.
    """
    if (
        _getsignal(_TERM) is _DEFAULT
        or _getsignal(_INT) is signal.default_int_handler
        or _getsignal(_HUP) is _DEFAULT
        or _getsignal(_QUIT) is _DEFAULT
        or _getsignal(_INT) is _DEFAULT
    ):
        for number in _HANDLERS:
            if _getsignal(number) in (_DEFAULT, signal.default_int_handler):
                _install(number)


def _install(number: signal.Signals) -> None:
    signal.signal(number, _HANDLERS[number])
    if _HANDLERS[number] is _nothing:
        signal.siginterrupt(number, False)  # C code in a system call need not hear of it either.


def fork() -> int:
    """Fork another process of ours, which keeps the handlers."""
    global _own_fork
    _own_fork = True
    try:
        return os.fork()
    finally:
        _own_fork = False


def _before_fork() -> None:
    # One that comes while the new process still has our handlers would be lost there. SIGINT is not blocked, because it would raise
    # KeyboardInterrupt in the function that lets it in, where Python swallows it.
    _masks[get_ident()] = signal.pthread_sigmask(signal.SIG_BLOCK, _BLOCKED)


def _after_fork() -> None:
    mask = _masks.pop(get_ident(), None)
    if mask is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _in_child() -> None:
    """A process forked by a function is not a worker: restore the usual meaning of these signals."""
    if not _own_fork:
        for number, handler in _HANDLERS.items():
            if signal.getsignal(number) is handler:
                signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    _after_fork()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_in_child)
