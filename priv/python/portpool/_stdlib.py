"""Imports the installed standard library, even if the user's path has modules of the same names. docs/worker_protocol.md 1.5.

A user may have a module named like one of the standard library, and `sys.path` may find it first. This package must not import
that one, and the user must still get it. So all imports of this package go through here:

* If nothing on the user's path has such a name, the import is an ordinary one.
* Otherwise the module is loaded from the folders of the standard library, and so is everything that it imports, now or later.
"""

from __future__ import annotations

import builtins
import sys
from _imp import is_builtin, is_frozen

from portpool._library import NAMES, Shadows, is_genuine

TYPE_CHECKING = False  # see _boot.py
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import ModuleType
    from typing import Any

    from portpool._importer import Importer

_import = builtins.__import__
# It imports more when it is used, and through the user's path: we need one of our own.
_IMPORTS_LATER = "linecache"
# What was imported before the user's path.
_modules: dict[str, ModuleType] = {}
_notices: dict[str, Callable[[ModuleType], None]] = {}
_importers: dict[bool, Importer] = {}


def load(name: str) -> Any:
    """Return the standard library module `name`, the same one that the user gets, unless the user's path hides it.

    Use this for modules that must be shared with the user, such as `asyncio`. What only this package uses is simply imported.
    """
    return _importer(shares=True).load(name)


def _importer(shares: bool) -> Importer:
    if shares not in _importers:
        from portpool._importer import Importer

        _importers[shares] = Importer(shares, _modules, _notices)
    return _importers[shares]


def import_(
    name: str, globals: Any = None, locals: Any = None, fromlist: Sequence[str] | None = None, level: int = 0
) -> Any:
    """The function that an `import` statement of this package calls."""
    if name in _modules and "." not in name:
        return _modules[name]
    # What is built in is found before all else.
    if not _modules or name.partition(".")[0] not in NAMES or is_builtin(name) or is_frozen(name):
        return _import(name, globals, locals, fromlist or (), level)
    return _importer(shares=False).import_(name, globals, locals, fromlist, level)


def open_path(path: list[str], before: Iterable[str]) -> None:
    """Use the user's path as `sys.path` from now on. `before` are the modules that Python had imported before this package.

    Modules that this package has imported since, and that the user's path hides, become invisible to the user.
    """
    _modules.update({name: module for name, module in sys.modules.items() if is_genuine(module) and name != _IMPORTS_LATER})
    sys.path[:] = path
    shadows = Shadows()
    for name in _modules.keys() - set(before):
        if shadows.ahead(name):
            del sys.modules[name]


def notice(name: str, function: Callable[[ModuleType], None]) -> None:
    """Call a function with the module `name` if it is loaded here, instead of by an ordinary import."""
    _notices[name] = function
