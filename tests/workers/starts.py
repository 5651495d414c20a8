"""Workers that are prepared before their first call, and some that cannot be."""

import fcntl
import os
import signal
import stat
import sys
import time

import portpool

order = ["imported"]


@portpool.after_fork
def after_fork():
    order.append("after_fork")


@portpool.after_fork
def after_fork_too():
    order.append("after_fork_too")


def warm_up(word):
    order.append("warmup " + word)


def set_up(word):
    order.append("init " + word)


def what_was_done():
    return order


def remember_type(value):
    order[0] = type(value).__name__


def remembered():
    return order[0]


def prefix():
    return sys.prefix


def is_prefix(path):
    return os.fsencode(sys.prefix) == os.fsencode(path)


def raises(text):
    raise ValueError(text)


def raises_in_one_of_two():
    if int(os.environ["PORTPOOL_WORKER"].split(".")[1]) % 2 == 0:
        raise RuntimeError("the second")


def raises_where_there_is(path):
    if os.path.exists(path):
        raise RuntimeError("it is there")


def deaf():
    """Is told nothing any more: what comes to this worker is never read."""
    never, self_open = os.pipe()
    for number in range(3, 64):
        try:
            is_pipe = stat.S_ISFIFO(os.fstat(number).st_mode)
            is_read = fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
        except OSError:
            continue
        if is_pipe and is_read and number not in (never, self_open):
            os.dup2(never, number)


def ends():
    os._exit(7)


exits_hard = ends


def exits():
    sys.exit(0)


def sleeps():
    time.sleep(3600)


def stops():
    os.kill(os.getpid(), signal.SIGSTOP)


def takes(megabytes):
    return len(bytearray(megabytes << 20))


def takes_too_much():
    return takes(1 << 20)


kept = []


def keeps():
    kept.append(b"\x01" * (80 << 20))


def makes_garbage():
    garbage = [b"\x01" * (80 << 20)]
    garbage.append(garbage)


def oom_score():
    with open("/proc/self/oom_score_adj") as file:
        return int(file.read())
