"""Results that are large, from the start or only as a term, and one that takes its time."""

import time


def rests(ms):
    time.sleep(ms / 1000)


def text(size):
    return "a" * size


def the_same_again(size, times):
    return ["a" * size] * times
