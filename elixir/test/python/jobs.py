"""What the tests call."""

import os
import subprocess
import time


def sleep(seconds):
    time.sleep(seconds)
    return "slept"


def echo(value):
    return value


def fail(depth):
    if depth:
        return fail(depth - 1)
    raise ValueError("no such luck")


def keywords(*args, **kwargs):
    return [list(args), kwargs]


def exit_now(status):
    os._exit(status)


def environment(name):
    return os.environ.get(name)


def text(size):
    return "x" * size


def with_grandchild(seconds):
    subprocess.run(["sleep", str(seconds)])


def noise(text):
    print(text)
    os.write(1, text.encode() + b"\n")
    return text


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def pid():
    return os.getpid()


_kept = []


def keep(value):
    """Keeps a value in this worker, and returns all that it has kept."""
    _kept.append(value)
    return _kept
