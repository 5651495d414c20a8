"""Which modules belong to the standard library, and which of its names mean something else to the user. docs/worker_protocol.md 1.5."""

from __future__ import annotations

import os
import sys
from _frozen_importlib_external import PathFinder
from _imp import is_builtin, is_frozen

TYPE_CHECKING = False  # see _boot.py
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from importlib.machinery import ModuleSpec
    from types import ModuleType

_Module = type(sys)
# The boot leaves nothing else on the path until it has imported this.
FOLDERS = list(sys.path)


def genuine(name: str) -> ModuleType | None:
    """Return the standard library module `name`, if it has been imported under that name."""
    module = sys.modules.get(name)
    return module if module is not None and is_genuine(module) else None


def is_genuine(module: object) -> bool:
    """Return whether this is a standard library module, instead of one that only has its name."""
    return issubclass(type(module), _Module) and is_of_library(object.__getattribute__(module, "__dict__").get("__spec__"))


def is_of_library(spec: ModuleSpec | None) -> bool:
    """Return whether a module with this spec comes from the standard library."""
    origin = getattr(spec, "origin", None)
    if origin in ("built-in", "frozen"):
        return True
    return type(origin) is str and any(_is_below(origin, folder) for folder in FOLDERS)


def _is_below(origin: str, folder: str) -> bool:
    rest = origin[len(folder) + 1 :]
    return origin.startswith(folder + "/") and not rest.startswith(("site-packages/", "dist-packages/"))


def _names_in(folder: str) -> set[str]:
    try:
        return {name.partition(".")[0] for name in os.listdir(folder or ".")}
    except OSError:
        return set()


# Python 3.9 has no list of them.
NAMES = frozenset(
    getattr(sys, "stdlib_module_names", None) or {*sys.builtin_module_names}.union(*map(_names_in, FOLDERS))
)


class Shadows:
    """The names of the standard library that currently mean something else to the user."""

    def __init__(self) -> None:
        self._ahead = {
            name
            for folder in _folders_ahead()
            for name in _candidates(folder)
            if not is_builtin(name) and not is_frozen(name) and _is_importable(folder, name)
        }

    def ahead(self, name: str) -> bool:
        """Return whether the user's path has this name before the standard library; for a dotted name, its first part counts."""
        return name.partition(".")[0] in self._ahead

    def __bool__(self) -> bool:
        """Return whether there are any, on the path or imported."""
        return bool(self._ahead) or any(not is_genuine(sys.modules[name]) for name in NAMES & sys.modules.keys())


def _folders_ahead() -> Iterator[str]:
    for entry in list(sys.path):
        if entry in FOLDERS:
            return
        if type(entry) is str:
            yield entry


def _candidates(entry: str) -> Iterable[str]:
    """The names of the standard library that an entry of the path may have. Of an archive, only its finder knows."""
    return NAMES if os.path.isfile(entry) else _names_in(entry) & NAMES


def _is_importable(folder: str, name: str) -> bool:
    """Return whether a folder is a package: without `__init__.py` it hides no module of the standard library."""
    spec = PathFinder.find_spec(name, [folder])
    return spec is not None and spec.origin is not None
