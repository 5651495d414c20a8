"""Is in the middle of its import when it is interrupted."""

import os
import time

first = 1
if os.environ.get("SLOW_IMPORT"):
    with open(os.environ["SLOW_IMPORT"], "a") as file:
        file.write("importing\n")
    if open(os.environ["SLOW_IMPORT"]).read().count("importing") == 1:
        time.sleep(3600)
second = 2


def both():
    return first + second
