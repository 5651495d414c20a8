"""Writes the output of Python's `logging` as records that keep their level and logger. docs/worker_protocol.md 7."""

from __future__ import annotations

import os
import sys

from portpool._lines import current

TYPE_CHECKING = False  # see _boot.py
if TYPE_CHECKING:
    from typing import Any

# The twin is src/worker/line.rs.
_RECORD = "\x1e"
_FIELD = "\x1f"
_NEWLINE = "\x1d"

_STDERR = 2


def prepare(logging: Any) -> None:
    """Write records where `logging` would by default write plain lines to stderr: without any configuration, and with a `basicConfig`
    that names no other destination. The user's own handlers are not affected.
    """

    class Handler(logging.Handler):  # type: ignore[misc]
        def emit(self, record: Any) -> None:
            try:
                text = self.format(record)
                level = _level(record.levelno)
                _write(_RECORD + level + _FIELD + record.name + _FIELD + str(current[0] or "") + _FIELD + text)
            except Exception:
                self.handleError(record)

    basic_config = logging.basicConfig

    def basicConfig(**options: Any) -> None:
        if not {"filename", "stream", "handlers"} & options.keys():
            handler = Handler()
            if "format" not in options:
                # Level and name have fields of their own.
                handler.setFormatter(logging.Formatter())
            options["handlers"] = [handler]
        basic_config(**options)

    basicConfig.__doc__ = basic_config.__doc__
    logging.basicConfig = basicConfig
    logging.lastResort = Handler(logging.WARNING)


def _level(number: int) -> str:
    if number >= 40:
        return "error"
    if number >= 30:
        return "warning"
    return "info" if number >= 20 else "debug"


def _write(line: str) -> None:
    data = line.replace("\n", _NEWLINE).encode("utf-8", "backslashreplace") + b"\n"
    # What was printed before must not come after.
    sys.stderr.flush()
    while data:
        data = data[os.write(_STDERR, data) :]
