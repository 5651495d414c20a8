"""Watches the size of this worker: `max_memory`. Imported only if that is set."""

from __future__ import annotations

import gc
import os
from time import monotonic

# Seconds between two looks.
_EVERY = 0.1


class MemoryWatch:
    """Compares the resident memory of this process with a limit, in bytes."""

    __slots__ = ("_limit", "_next", "_page", "_statm")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._page = os.sysconf("SC_PAGE_SIZE")
        self._statm = os.open("/proc/self/statm", os.O_RDONLY)
        self._next = 0.0

    def has_grown(self) -> bool:
        """Return whether it is over the limit, not counting garbage. Checks at most ten times a second."""
        now = monotonic()
        if now < self._next:
            return False
        self._next = now + _EVERY
        if self._resident() <= self._limit:
            return False
        gc.collect()
        return self._resident() > self._limit

    def _resident(self) -> int:
        return int(os.pread(self._statm, 128, 0).split()[1]) * self._page
