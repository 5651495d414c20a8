"""What a function may do when it is interrupted."""

import time


def best_so_far():
    try:
        time.sleep(3600)
    except KeyboardInterrupt:
        return "the best so far"


def deaf():
    while True:
        try:
            time.sleep(3600)
        except KeyboardInterrupt:
            pass


def until(seconds):
    """Returns at this time of the monotonic clock's second hand, as exactly as can be."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
    return seconds
