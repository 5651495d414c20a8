"""Loads modules of the standard library when the user's path hides some. Imported on first use. docs/worker_protocol.md 1.5."""

from __future__ import annotations

import builtins
import sys
from _frozen_importlib import BuiltinImporter, FrozenImporter, module_from_spec
from _frozen_importlib_external import PathFinder
from _thread import RLock

from portpool._library import FOLDERS, NAMES, Shadows, genuine

TYPE_CHECKING = False  # see _boot.py
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

_import = builtins.__import__


class Importer:
    """Loads modules of the standard library, whose own imports also go through it.

    A sharing importer uses genuine modules that the user has imported, and leaves what it loads for the user, if the user's path has
    nothing of that name. One that does not share uses only what was imported before the user's path, and leaves nothing.
    """

    def __init__(self, shares: bool, modules: dict[str, ModuleType], notices: dict[str, Callable[[ModuleType], None]]) -> None:
        """`modules` were imported before the user's path; `notices` are functions to call with each loaded module."""
        self._shares = shares
        self._own = dict(modules)
        self._notices = notices
        # What modules that are loaded here have as their builtins.
        self._builtins = {**vars(builtins), "__import__": self.import_}
        self._lock = RLock()
        self._depth = 0
        self._shadows = Shadows()
        # What is not to be seen in `sys.modules` while a module is loaded: there, C code and some modules look for themselves and others.
        self._hidden: dict[str, ModuleType | None] = {}

    def load(self, name: str) -> Any:
        found = self._known(name)
        if found is not None:
            return found
        with self._lock:
            if self._depth == 0:
                self._shadows = Shadows()
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
        module.__dict__["__builtins__"] = self._builtins
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
        if name in self._notices:
            self._notices[name](module)
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

    def _leave(self, shadows: Shadows) -> None:
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
        """The function that an `import` statement calls."""
        full = _absolute(name, globals, level) if level else name
        if full.partition(".")[0] not in NAMES:
            return _import(name, globals, locals, fromlist or (), level)
        module = self.load(full)
        if not fromlist:
            return self.load(full.partition(".")[0])
        if hasattr(module, "__path__"):
            self._load_from(module, fromlist)
        return module

    def _load_from(self, package: ModuleType, names: Sequence[str]) -> None:
        """The names imported from a package may be modules in it."""
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
    return PathFinder.find_spec(name, FOLDERS if path is None else path)


def _absolute(name: str, globals: Any, level: int) -> str:
    package: str = globals.get("__package__") or globals["__name__"]
    for _ in range(level - 1):
        package = package.rpartition(".")[0]
    return f"{package}.{name}" if name else package
