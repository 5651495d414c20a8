"""Workers that have shared memory and a named semaphore in hand when they end, each in its own way."""

import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from multiprocessing import resource_tracker, shared_memory

_kept = []


def _take(path):
    """Leaves it to the tracker to clean up; says the paths of what is there, and the tracker's pid."""
    memory = shared_memory.SharedMemory(create=True, size=4096)
    semaphore = multiprocessing.get_context("spawn").Semaphore()
    _kept.extend([memory, semaphore])
    paths = ["/dev/shm/" + memory.name.lstrip("/"), "/dev/shm/sem." + semaphore._semlock.name.lstrip("/")]
    assert all(map(os.path.exists, paths)), paths
    with open(path + ".new", "w") as file:
        file.write("\n".join([*paths, str(resource_tracker._resource_tracker._pid)]))
    os.rename(path + ".new", path)


def returns(path):
    _take(path)
    return os.getpid()


def sleeps(path):
    _take(path)
    time.sleep(3600)


def holds_the_gil(path):
    _take(path)
    ctypes.PyDLL(None).sleep(3600)


def exits(path):
    _take(path)
    os._exit(3)


def crashes(path):
    _take(path)
    os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(3600)


def with_a_child(path):
    """A tracker with nothing to clean up, and a program in its group; says the program's pid."""
    resource_tracker.ensure_running()
    child = subprocess.Popen(["sleep", "3600"])
    with open(path + ".new", "w") as file:
        file.write(str(child.pid))
    os.rename(path + ".new", path)
    time.sleep(3600)


def with_children(path):
    """Processes of its group hold the tracker's pipe, too: it does its work when these are dead."""
    _take(path)
    for _ in range(3):
        if os.fork() == 0:
            time.sleep(3600)
    time.sleep(3600)


def has_one_that_hangs(path):
    """What looks like a tracker and never ends."""
    code = "0 and 'resource_tracker import main'; import time; time.sleep(3600)"
    hangs = subprocess.Popen([sys.executable, "-c", code])
    with open(path + ".new", "w") as file:
        file.write(str(hangs.pid))
    os.rename(path + ".new", path)
    time.sleep(3600)


def is_there(name):
    return os.path.exists(name)


if "TAKES_AT_IMPORT" in os.environ:
    _take(os.environ["TAKES_AT_IMPORT"])
