"""Imports the current code of the user: bytecode that may be outdated is not used. docs/worker_protocol.md 1.6.

Python trusts bytecode if the size of the file and its time in whole seconds match. An edit right after an import can have both. So
for the user's files, the bytecode must also be a moment younger than the file.
"""

from __future__ import annotations

import _frozen_importlib_external as _external
import os
import sys
from _frozen_importlib_external import FileFinder, SourceFileLoader

TYPE_CHECKING = False  # see _boot.py
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_loaders: Callable[[], list[tuple[Any, list[str]]]] = _external._get_supported_file_loaders  # type: ignore[attr-defined]
# An import that compiles a file has read it this long before it writes bytecode, at most: nanoseconds.
_MOMENT = 1_000_000_000


def get_ready(folders: list[str], started: int) -> None:
    """Apply this to all files except those of the standard library, in `folders`, and installed ones.

    `started` is when the server was started, in seconds. After that, a file may also have been replaced by one that keeps its
    time, which the ctime shows. Before that, a newer ctime may only mean that the file was unpacked.
    """

    class Loader(SourceFileLoader):
        def get_data(self, path: str) -> bytes:
            data: bytes = super().get_data(path)
            # Bytecode with a flag is checked by a hash of its source, or is not to be checked.
            if path != self.path and not any(data[4:8]) and _may_be_old(path, self.path, started * 1_000_000_000):
                raise OSError("the bytecode may be older than the code")
            return data

    loaders = ((Loader if loader is SourceFileLoader else loader, suffixes) for loader, suffixes in _loaders())
    find: Callable[[str], Any] = FileFinder.path_hook(*loaders)

    def hook(path: str) -> Any:
        if _is_installed(path) or path in folders or path.startswith(tuple(folder + "/" for folder in folders)):
            raise ImportError("not the user's", path=path)
        return find(path)

    sys.path_hooks.insert(0, hook)
    for entry in list(sys.path_importer_cache):
        if entry not in folders and not _is_installed(entry):
            del sys.path_importer_cache[entry]


def _is_installed(path: str) -> bool:
    return "/site-packages" in path or "/dist-packages" in path


def _may_be_old(bytecode: str, source: str, started: int) -> bool:
    written = os.stat(bytecode).st_mtime_ns - _MOMENT
    file = os.stat(source)
    return file.st_mtime_ns > written or file.st_ctime_ns > max(written, started - _MOMENT)
