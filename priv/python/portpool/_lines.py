"""Says of each line that Python prints which call prints it. docs/worker_protocol.md 7.

The next call may begin before the server has read what the last one printed, so the server cannot tell by itself.
"""

from __future__ import annotations

import io
import os
import sys

TYPE_CHECKING = False  # see _boot.py
if TYPE_CHECKING:
    from typing import Any, TextIO

# The twin is src/worker/line.rs.
_RECORD = b"\x1e"
_FIELD = b"\x1f"

# The number of the call that runs now, 0 between calls.
current = [0]


class _Pipe(io.FileIO):
    """A log pipe. A line that begins during a call begins with the number of that call."""

    _inside = False
    # The pipe itself: its descriptor may be made that of a file or a terminal, and what is written there is not marked.
    pipe = (0, 0)

    def write(self, data: Any) -> int:
        text = bytes(data)
        call = current[0]
        if call and _identity(self.fileno()) == self.pipe:
            mark = _RECORD + b"%d" % call + _FIELD
            first = b"" if self._inside else mark
            marked = memoryview(first + text[:-1].replace(b"\n", b"\n" + mark) + text[-1:])
        else:
            marked = memoryview(text)
        if text:
            self._inside = not text.endswith(b"\n")
        while marked:
            marked = marked[os.write(self.fileno(), marked) :]
        return len(text)


def _identity(number: int) -> tuple[int, int]:
    try:
        found = os.fstat(number)
    except OSError:
        return 0, 0
    return found.st_dev, found.st_ino


def open_pipes() -> None:
    """Let stdout and stderr write whole lines that are marked, and accept any text."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        # `sitecustomize` may have put something else there, or there may be nothing.
        if type(stream) is io.TextIOWrapper and stream.fileno() == number:
            stream.flush()
            opened = _opened(number, stream.name)
            setattr(sys, name, opened)
            setattr(sys, f"__{name}__", opened)


# The pipes of this process.
_pipes: list[_Pipe] = []


def are_others() -> None:
    """The descriptors of the pipes have become those of other pipes, in a forked worker."""
    for pipe in _pipes:
        pipe.pipe = _identity(pipe.fileno())


def _opened(number: int, name: str) -> TextIO:
    pipe = _Pipe(number, "wb", closefd=False)
    pipe.name = name
    pipe.pipe = _identity(number)
    _pipes.append(pipe)
    return io.TextIOWrapper(io.BufferedWriter(pipe), encoding="utf-8", errors="backslashreplace", line_buffering=True)
