"""A module whose import does not end."""

import os
import time

with open(os.environ["SAYS"], "w"):
    pass

time.sleep(3600)
