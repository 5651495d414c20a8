"""Workers that die in a call."""

import ctypes
import os
import signal
import sys


def by_signal(number):
    os.kill(os.getpid(), number)


def by_segfault():
    ctypes.string_at(0)


def deep(levels):
    return deep(levels - 1) if levels else by_segfault()


def by_exit(status):
    os._exit(status)


def until(path, times):
    """Dies this many times; the file counts."""
    with open(path, "a+") as file:
        file.write("x")
        file.flush()
        file.seek(0)
        if len(file.read()) <= times:
            os._exit(9)
    return "alive"


def with_last_words(text):
    print(text, file=sys.stderr)
    os._exit(7)


def sys_exit():
    sys.exit(3)


def interrupt():
    raise KeyboardInterrupt


def stop():
    os.kill(os.getpid(), signal.SIGSTOP)
