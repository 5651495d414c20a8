"""Imports the standard library as it is installed, whatever the user's path has under the same names. docs/worker_protocol.md 1.5.

A user may have a module named like one of the standard library, and `sys.path` may find it first. This package must not import
that one, and the user must still get it. So all imports of this package go through here:

* If nothing on the user's path has such a name, it is the ordinary import.
* Otherwise the module is loaded from the folders of the standard library, and so is everything that it imports, now or later.
"""

from __future__ import annotations

import builtins
import os
import sys
from _frozen_importlib import BuiltinImporter, FrozenImporter, module_from_spec
from _frozen_importlib_external import PathFinder
from _imp import is_builtin, is_frozen
from _thread import RLock

TYPE_CHECKING = False  # see _boot.py
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

_Module = type(sys)
_import = builtins.__import__
# The boot leaves nothing else on the path until it has imported this.
_FOLDERS = list(sys.path)
# It imports more when it is used, and through the user's path: we need one of our own.
_IMPORTS_LATER = "linecache"


def load(name: str) -> Any:
    """The module `name` of the standard library, the same one that the user gets, unless the user's path hides it.

    For what has to be shared with the user, as `asyncio` has to. What only this package uses is simply imported.
    """
    return _shared.load(name)


def genuine(name: str) -> ModuleType | None:
    """The module `name` of the standard library, if it has been imported by that name."""
    module = sys.modules.get(name)
    return module if module is not None and is_genuine(module) else None


def is_genuine(module: object) -> bool:
    """Whether this is a module of the standard library, and not one that has the name of one."""
    return issubclass(type(module), _Module) and is_of_library(object.__getattribute__(module, "__dict__").get("__spec__"))


def is_of_library(spec: ModuleSpec | None) -> bool:
    """Whether a module with this spec comes from the standard library."""
    origin = getattr(spec, "origin", None)
    if origin in ("built-in", "frozen"):
        return True
    return type(origin) is str and any(_is_below(origin, folder) for folder in _FOLDERS)


def _is_below(origin: str, folder: str) -> bool:
    rest = origin[len(folder) + 1 :]
    return origin.startswith(folder + "/") and not rest.startswith(("site-packages/", "dist-packages/"))


def open_path(path: list[str], before: Iterable[str]) -> None:
    """Lets the user's path in: `sys.path` from now on. `before` are the modules that Python had imported before this package.

    What this package has imported since, and the user's path hides, is taken out of the user's sight.
    """
    ours = {name: module for name, module in sys.modules.items() if is_genuine(module)}
    sys.path[:] = path
    shadows = _Shadows()
    for name in ours.keys() - set(before):
        if shadows.ahead(name):
            del sys.modules[name]
    for importer in (_shared, private):
        importer.begin(ours)


def notice(name: str, function: Callable[[ModuleType], None]) -> None:
    """Has a function called with the module `name` if it is loaded here, and not by the ordinary import."""
    for importer in (_shared, private):
        importer.notices[name] = function


def _names_in(folder: str) -> set[str]:
    try:
        return {name.partition(".")[0] for name in os.listdir(folder or ".")}
    except OSError:
        return set()


# Python 3.9 has no list of them.
_names = frozenset(
    getattr(sys, "stdlib_module_names", None) or {*sys.builtin_module_names}.union(*map(_names_in, _FOLDERS))
)


class _Shadows:
    """The names of the standard library that mean something else to the user, as things are now."""

    def __init__(self) -> None:
        self._ahead = {
            name
            for folder in _folders_ahead()
            for name in _names_in(folder) & _names
            if not is_builtin(name) and not is_frozen(name) and _is_importable(folder, name)
        }

    def ahead(self, name: str) -> bool:
        """Whether the user's path has this before the standard library. Of a dotted name the first part decides."""
        return name.partition(".")[0] in self._ahead

    def __bool__(self) -> bool:
        """Whether there are any, on the path or imported."""
        return bool(self._ahead) or any(not is_genuine(sys.modules[name]) for name in _names & sys.modules.keys())


def _folders_ahead() -> Iterator[str]:
    for entry in list(sys.path):
        if entry in _FOLDERS:
            return
        if type(entry) is str:
            yield entry


def _is_importable(folder: str, name: str) -> bool:
    """A folder without `__init__.py` hides no module of the standard library."""
    spec = PathFinder.find_spec(name, [folder])
    return spec is not None and spec.origin is not None


class _Importer:
    """Loads modules of the standard library that import through it in turn.

    One that shares takes what the user has imported, if it is genuine, and leaves what it loads for the user, where the user's
    path has nothing of that name. One that does not share takes only what was there before the user's path, and leaves nothing.
    """

    def __init__(self, shares: bool) -> None:
        self.notices: dict[str, Callable[[ModuleType], None]] = {}
        # What modules that are loaded here have as their builtins.
        self.builtins = {**vars(builtins), "__import__": self.import_}
        self._shares = shares
        self._own: dict[str, ModuleType] = {}
        self._begun = False
        self._lock = RLock()
        self._depth = 0
        self._shadows: _Shadows | None = None
        # What is not to be seen in `sys.modules` while a module is loaded: there, C code and some modules look for themselves and others.
        self._hidden: dict[str, ModuleType | None] = {}

    def begin(self, modules: dict[str, ModuleType]) -> None:
        """From now on there may be modules of the user. These have been imported before."""
        self._own.update(modules)
        self._own.pop(_IMPORTS_LATER, None)
        self._begun = True

    def load(self, name: str) -> Any:
        found = self._known(name)
        if found is not None:
            return found
        with self._lock:
            if self._depth == 0:
                self._shadows = _Shadows() if self._begun else None
            if not self._shadows:
                _import(name)
                self._own[name] = sys.modules[name]
                return self._own[name]
            self._enter()
            try:
                return self._known(name) or self._load(name)
            finally:
                self._leave(self._shadows)

    def _known(self, name: str) -> ModuleType | None:
        found = self._own.get(name)
        if found is None and self._shares:
            found = genuine(name)
            if found is not None and getattr(found.__spec__, "_initializing", False):
                _import(name)  # Another thread is at it: this waits until it is whole.
        return found

    def _load(self, name: str) -> ModuleType:
        parent, _, child = name.rpartition(".")
        package = self.load(parent) if parent else None
        found = self._known(name)
        if found is not None:
            return found
        spec = _find(name, None if package is None else getattr(package, "__path__", None))
        if spec is None or spec.loader is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        self._hide(name)  # An extension module puts itself into `sys.modules`.
        module = module_from_spec(spec)
        module.__dict__["__builtins__"] = self.builtins
        module = self._run(name, module, spec.loader)
        if package is not None:
            setattr(package, child, module)
        return module

    def _run(self, name: str, module: ModuleType, loader: Any) -> ModuleType:
        self._own[name] = sys.modules[name] = module
        try:
            loader.exec_module(module)
        except BaseException:
            del self._own[name]
            raise
        module = self._own[name] = sys.modules.get(name, module)  # A module may have put another in its place.
        if name in self.notices:
            self.notices[name](module)
        return module

    def _enter(self) -> None:
        self._depth += 1
        if self._depth == 1:
            for name, module in list(self._own.items()):
                if sys.modules.get(name) is not module:
                    self._hide(name)
                    sys.modules[name] = module

    def _hide(self, name: str) -> None:
        self._hidden.setdefault(name, sys.modules.get(name))

    def _leave(self, shadows: _Shadows) -> None:
        self._depth -= 1
        if self._depth:
            return
        for name, module in self._hidden.items():
            if module is not None:
                sys.modules[name] = module
            elif not self._shares or name not in self._own or shadows.ahead(name):
                sys.modules.pop(name, None)
        self._hidden.clear()

    def import_(
        self, name: str, globals: Any = None, locals: Any = None, fromlist: Sequence[str] | None = None, level: int = 0
    ) -> Any:
        """What an `import` statement calls."""
        full = _absolute(name, globals, level) if level else name
        if not self._begun or full.partition(".")[0] not in _names:
            return _import(name, globals, locals, fromlist or (), level)
        module = self.load(full)
        if not fromlist:
            return self.load(full.partition(".")[0])
        if hasattr(module, "__path__"):
            self._load_from(module, fromlist)
        return module

    def _load_from(self, package: ModuleType, names: Sequence[str]) -> None:
        """Names that a package is asked for may be modules in it."""
        for name in names:
            if name == "*":
                self._load_from(package, getattr(package, "__all__", ()))
            elif not hasattr(package, name):
                try:
                    self.load(f"{package.__name__}.{name}")
                except ModuleNotFoundError:
                    pass  # The import statement says what is missing.


def _find(name: str, path: Sequence[str] | None) -> ModuleSpec | None:
    for finder in (BuiltinImporter, FrozenImporter):
        spec = finder.find_spec(name, path)
        if spec is not None:
            return spec
    return PathFinder.find_spec(name, _FOLDERS if path is None else path)


def _absolute(name: str, globals: Any, level: int) -> str:
    package: str = globals.get("__package__") or globals["__name__"]
    for _ in range(level - 1):
        package = package.rpartition(".")[0]
    return f"{package}.{name}" if name else package


_shared = _Importer(shares=True)
private = _Importer(shares=False)
