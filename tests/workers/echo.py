"""No misbehaviour: what the tests need of a well-behaved worker."""

import os
import time


def echo(value):
    return value


def pid():
    return os.getpid()


def incarnation():
    """The number of this worker, which no other one ever has."""
    return int(os.environ["PORTPOOL_WORKER"].split(".")[1])


def environ(name):
    return os.environ.get(name)


def keywords(*args, **kwargs):
    return [list(args), kwargs]


def touch(path):
    with open(path, "x"):
        pass


def wait_for(path):
    """Runs until somebody makes the file."""
    while not os.path.exists(path):
        time.sleep(0.001)
    return "seen"


def wait_for_and_touch(path, proof):
    wait_for(path)
    touch(proof)


def forever():
    while True:
        time.sleep(3600)


async def awaited(value):
    return value


def fails(text):
    try:
        raise KeyError("the cause")
    except KeyError as error:
        raise ValueError(text) from error


def fails_deep(depth):
    if depth:
        return fails_deep(depth - 1)
    raise ValueError("deep")
