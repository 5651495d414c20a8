"""What our processes share: they die with the server, have default signals, log whole lines, and are the first to go without memory."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys

from portpool import _lines, _signals

# What is added to this process's own score when the kernel runs out of memory: workers go before the BEAM.
_BEFORE_OTHERS = 500
_NOT_EXEC = (
    "portpool: the script that the option python names has started Python as a child process. "
    'A worker must be the process that the server has started: end the script with exec python3 "$@"\n'
)


def prepare(server: int) -> None:
    die_with(server)
    restore_signals()
    _signals.take()
    open_logs()
    offer_as_victim()


def die_with(server: int) -> None:
    """Ask the kernel to kill this process when the server dies, even while C code runs."""
    if sys.platform == "linux":
        try:
            import ctypes
        except ImportError:  # A Python built without it notices the server's death at its next read.
            pass
        else:
            PR_SET_PDEATHSIG = 1
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != server:
        if _is_alive(server):
            sys.stderr.write(_NOT_EXEC)
            sys.stderr.flush()
        os._exit(1)  # Else it died before the kernel was asked.


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError as error:
        return isinstance(error, PermissionError)
    return True


def restore_signals() -> None:
    """Restore inherited ignored signals: the BEAM ignores SIGFPE for its port programs, nohup SIGHUP. What Python itself ignores stays."""
    own = {signal.SIGPIPE, getattr(signal, "SIGXFSZ", signal.SIGPIPE)}
    for number in signal.valid_signals() - own:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def open_logs() -> None:
    """Open stdout and stderr as log pipes."""
    _lines.open_pipes()
    faulthandler.enable(2)


def offer_as_victim() -> None:
    try:
        with open("/proc/self/oom_score_adj", "r+b", buffering=0) as file:
            score = min(int(file.read()) + _BEFORE_OTHERS, 1000)
            file.seek(0)
            file.write(b"%d" % score)
    except (OSError, ValueError):
        pass  # No /proc, or it is not for us to say.
