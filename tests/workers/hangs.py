"""Workers that do not come back, each in its own way. Each says its pids in a file first."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time


def _say(path, *pids):
    with open(path + ".new", "w") as file:
        file.write(" ".join(map(str, (os.getpid(), *pids))))
    os.rename(path + ".new", path)


def sleeping(path):
    _say(path)
    time.sleep(3600)


def busy(path):
    _say(path)
    while True:
        pass


def for_a_moment(microseconds):
    end = time.perf_counter() + int(microseconds) / 1e6
    while time.perf_counter() < end:
        pass


def ignoring_signals(path):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    _say(path)
    while True:
        time.sleep(3600)


def in_c_holding_the_gil(path):
    _say(path)
    ctypes.PyDLL(None).sleep(3600)


def waiting_for_a_child(path):
    child = subprocess.Popen(["sleep", "3600"])
    _say(path, child.pid)
    child.wait()


def with_a_thread(path):
    threading.Thread(target=time.sleep, args=(3600,)).start()
    _say(path)
    return "done"


def with_a_daemon(path):
    """A grandchild in a session of its own, which no process group reaches."""
    daemon = subprocess.Popen(
        [sys.executable, "-c", "import os, time\nif os.fork(): os._exit(0)\nos.setsid()\nprint(os.getpid(), flush=True)\ntime.sleep(3600)"],
        stdout=subprocess.PIPE,
    )
    _say(path, int(daemon.stdout.readline()))
    time.sleep(3600)


def stopped(path):
    _say(path)
    os.kill(os.getpid(), signal.SIGSTOP)


def deaf(path):
    """The signal by which a worker is asked where it is comes to nothing."""
    signal.signal(16, signal.SIG_IGN)
    _say(path)
    time.sleep(3600)


def a_child_that_is_interrupted():
    """What ends a forked child that gets a SIGINT."""
    ends, end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(end, b"ready")
            time.sleep(3600)
        except BaseException as error:
            os.write(end, type(error).__name__.encode())
        os._exit(0)
    os.read(ends, 5)
    os.kill(child, signal.SIGINT)
    os.waitpid(child, 0)
    return os.read(ends, 100).decode()
