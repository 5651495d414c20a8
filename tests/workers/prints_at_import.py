"""A module that leaves text in two buffers when it is imported."""

import ctypes

print("printed at import", end="")
ctypes.CDLL(None).printf(b"")
