"""A module that prints a line when it is imported, and is imported once somebody makes a file."""

import os
import time

print("printed at import", flush=True)
while not os.path.exists(os.environ["WAITS_FOR"]):
    time.sleep(0.001)
