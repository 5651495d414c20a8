"""A module that leaves text in C's buffer when it is imported, and a line in Python's."""

import ctypes

print("from print at import")
ctypes.CDLL(None).puts(b"from puts at import")
