"""Results that are large, from the start or only as a term, and one that takes its time."""

import os
import time


def rests(ms):
    time.sleep(ms / 1000)


def text(size):
    return "a" * size


def text_after(path, size):
    """The text, once there is such a file."""
    while not os.path.exists(path):
        time.sleep(0.001)
    return text(size)


def the_same_again(size, times):
    return ["a" * size] * times
