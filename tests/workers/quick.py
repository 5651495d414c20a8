"""Short calls that leave a trace: which of them have begun, and how often."""

import os
import time

_traces = {}


def trace(path, number, milliseconds=0):
    """Notes in a file that call `number` has begun, and takes this long."""
    if path not in _traces:
        _traces[path] = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(_traces[path], b"%d\n" % number)
    if milliseconds:
        time.sleep(milliseconds / 1000)
    return number


def says(number, milliseconds=0):
    """Prints, by Python and by hand."""
    if milliseconds:
        time.sleep(milliseconds / 1000)
    print("printed by", number)
    return number


def leaves_unsaid(number):
    """Writes what does not say who has written it."""
    os.write(1, b"written by %d\n" % number)
    return number
