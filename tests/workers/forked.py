"""What a worker that was forked from a template can tell of itself."""

import ctypes
import os
import random
import subprocess
import time

_imported_by = os.getpid()
_threads = os.environ.get("OMP_NUM_THREADS")
_by_chance = random.Random()
_chosen = random.Random(7)
_given = random.Random()
_given.seed("a word")


def imported_by():
    return _imported_by


def numeric_threads():
    return [_threads, os.environ.get("OMP_NUM_THREADS"), os.environ.get("MKL_NUM_THREADS")]


def random_numbers():
    return [random.random(), _by_chance.random(), _chosen.random(), _given.random()]


def _getenv():
    getenv = ctypes.CDLL(None).getenv
    getenv.restype = ctypes.c_char_p
    return getenv(b"PORTPOOL_WORKER").decode()


def _of_a_fork():
    """As /proc shows it."""
    ends, end = os.pipe()
    if os.fork() == 0:
        with open("/proc/self/environ") as file:
            entries = file.read().split("\0")
        os.write(end, next(entry for entry in entries if entry.startswith("PORTPOOL_WORKER="))[16:].encode())
        os._exit(0)
    os.wait()
    return os.read(ends, 1000).decode()


def tokens():
    started = subprocess.run(["printenv", "PORTPOOL_WORKER"], stdout=subprocess.PIPE, check=True)
    return [os.environ["PORTPOOL_WORKER"], _getenv(), _of_a_fork(), started.stdout.decode().strip()]


def daemon():
    """A process in a session of its own, which no process group reaches, and which was only forked."""
    ends, end = os.pipe()
    if os.fork() == 0:
        os.setsid()
        pid = os.fork()
        if pid:
            os.write(end, str(pid).encode())
            os._exit(0)
        time.sleep(3600)
    os.wait()
    return [os.getpid(), int(os.read(ends, 100))]
