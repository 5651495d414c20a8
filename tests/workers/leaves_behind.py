"""Workers that change what the next call will find."""

import os
import signal
import subprocess
import threading
import time


def everything():
    """Another directory, environment and handlers, and a thread that keeps the process alive and deaf to SIGTERM."""
    os.chdir("/")
    os.environ["LEFT_BEHIND"] = "yes"
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=time.sleep, args=(3600,)).start()
    return os.getpid()


def what_there_is():
    return [os.getcwd(), os.environ.get("LEFT_BEHIND"), threading.active_count()]


def ignored_signals():
    """The signals that are ignored, but for those that Python always ignores."""
    own = {signal.SIGPIPE, signal.SIGXFSZ}
    return [int(n) for n in signal.valid_signals() - own if signal.getsignal(n) == signal.SIG_IGN]


def yes_head():
    """A pipeline whose first part ends by SIGPIPE or does not end."""
    done = subprocess.run(["sh", "-c", "yes | head -n 1"], stdout=subprocess.PIPE, timeout=20, check=True)
    return done.stdout.decode()
