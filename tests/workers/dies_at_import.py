"""A module that does not survive its own import."""

import os

os._exit(9)
