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
