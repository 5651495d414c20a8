"""Waits for the import of `logging`, which `_records.py` then sets up. docs/worker_protocol.md 7.

It does not import `logging` itself: that takes half as long as a whole start, and many workers never log.
"""

from __future__ import annotations

import sys
from _frozen_importlib_external import PathFinder

from portpool import _library, _stdlib

TYPE_CHECKING = False  # see _boot.py
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType


def get_ready() -> None:
    """Make `logging` write records, now or as soon as it is imported."""
    _stdlib.notice("logging", prepare)
    logging = _library.genuine("logging")
    if logging is not None:
        prepare(logging)
    else:
        sys.meta_path.insert(0, _AtImport())


class _AtImport:
    """Sets up `logging` once it has been imported."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != "logging":
            return None
        spec = PathFinder.find_spec(name)
        if spec is not None and spec.loader is not None and _library.is_of_library(spec):
            run = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                run(module)
                if self in sys.meta_path:
                    sys.meta_path.remove(self)
                    prepare(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def prepare(logging: ModuleType) -> None:
    from portpool import _records

    _records.prepare(logging)
