"""Functions that fork and do not start another program: what the copies do is nobody's answer."""

import atexit
import multiprocessing
import os
import pty
import signal
import sys
import threading

import portpool

_waiting = []


def _interrupted():
    os.kill(os.getpid(), signal.SIGINT)
    signal.pause()


def _exits(code):
    return lambda: sys.exit(code)


def _prints():
    print("printed by a copy", end="")
    sys.stderr.write("said by a copy")
    return object()


def _leaves_a_thread():
    threading.Timer(0.05, lambda: print("from a thread of a copy")).start()


def _forks_again():
    pid = os.fork()
    return sys.exit(_status(pid)) if pid else sys.exit(9)


def _opens_many():
    """Files with the numbers that the channel had: a second copy must not close them."""
    files = [os.open(os.devnull, os.O_WRONLY) for _ in range(32)]
    pid = os.fork()
    if pid == 0:
        [os.fstat(file) for file in files]
        return
    sys.exit(_status(pid))


def _raises():
    raise ValueError("raised in a copy")


_ENDS = {
    "returns": lambda: "the copy",
    "raises": _raises,
    "interrupted": _interrupted,
    "exits": _exits(None),
    "exits_7": _exits(7),
    "exits_with_minus_1": _exits(-1),
    "exits_with_text": _exits("a copy says why"),
    "prints": _prints,
    "leaves_a_thread": _leaves_a_thread,
    "forks_again": _forks_again,
    "opens_many": _opens_many,
}


def _status(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def ends(how):
    """How a copy ends that does this."""
    pid = os.fork()
    return _status(pid) if pid else _ENDS[how]()


async def ends_in_a_coroutine(how):
    return ends(how)


def ends_in_c(how):
    import ctypes

    pid = ctypes.PyDLL(None).fork()
    return _status(pid) if pid else _ENDS[how]()


def ends_on_a_terminal():
    pid, terminal = pty.fork()
    if pid == 0:
        print("on a terminal", end="")
        return "the copy"
    seen = b""
    try:
        while b"terminal" not in seen:
            seen += os.read(terminal, 100)
    except OSError:
        pass
    status = _status(pid)
    os.close(terminal)  # Not before: its end is a SIGHUP for the copy.
    return [seen.decode(), status]


def ends_in_a_thread(how):
    statuses = []

    def forks():
        pid = os.fork()
        return statuses.append(_status(pid)) if pid else _ENDS[how]()

    thread = threading.Thread(target=forks)
    thread.start()
    thread.join()
    return statuses


def ends_in_a_pool(words):
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return pool.map(str.upper, words)


def begins_one_that_waits(how):
    """The copy ends when `lets_it_go` is called, in another call."""
    ends, begin = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(begin)
        os.read(ends, 1)
        return _ENDS[how]()
    os.close(ends)
    _waiting.append((pid, begin))
    return pid


def lets_it_go():
    pid, begin = _waiting.pop()
    os.close(begin)
    return _status(pid)


def _fork_in_c():
    import ctypes

    return ctypes.PyDLL(None).fork()


_FORKS = {"python": os.fork, "c": _fork_in_c}


class Forks:
    """Its encoder forks."""

    def __init__(self, by):
        self.by = by


@portpool.encoder(Forks)
def _encode(value):
    pid = _FORKS[value.by]()
    return _status(pid) if pid else "the copy"


def encoded(by):
    return Forks(by)


def at_a_signal(by):
    """A handler forks while the worker waits for its next call."""

    def handler(number, frame):
        pid = _FORKS[by]()
        if pid:
            statuses.append(_status(pid))

    statuses = []
    signal.signal(signal.SIGUSR1, handler)
    threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1)).start()
    _waiting.append(statuses)


def at_the_signal():
    return _waiting[-1]


def at_exit(path):
    atexit.register(lambda: open(path, "a").write(f"{os.getpid()}\n"))


def forks_at_start(how):
    """For `init` and `warmup`."""
    _waiting.append(ends(how))


@portpool.after_fork
def _after_fork():
    if os.environ.get("FORKS_AFTER_FORK"):
        forks_at_start("returns")


def at_start():
    return _waiting
