"""The first code of a worker or template: drops what it has inherited, makes the package importable. docs/worker_protocol.md 1.

The stub runs it, with the channel in `file`. Imports are few and light: a worker must be ready within 25 ms.
"""

# No `from __future__ import annotations`: that too is an import, and here the path is still the user's.
import os
import sys
from _frozen_importlib import ModuleSpec

TYPE_CHECKING = False  # importing typing would take a fifth of the time that a worker has to boot
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from io import BufferedReader
    from types import CodeType, ModuleType
    from typing import Any


class BundledPackage:
    """Imports the modules of this package from the sources in the start order, so that nothing is needed on disk."""

    def __init__(self, sources: "dict[str, str]") -> None:
        self._sources = sources
        # What the modules import by: `_stdlib.py`, once it is there.
        self.builtins: "dict[str, Any] | None" = None

    def find_spec(
        self, name: str, path: "Sequence[str] | None" = None, target: "ModuleType | None" = None
    ) -> "ModuleSpec | None":
        if name not in self._sources:
            return None
        is_package = name == "portpool"
        origin = "<portpool>/" + ("__init__" if is_package else name.rpartition(".")[2]) + ".py"
        spec = ModuleSpec(name, self, origin=origin, is_package=is_package)  # type: ignore[arg-type]
        spec.has_location = False
        return spec

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: "ModuleType") -> None:
        if self.builtins is not None:
            module.__dict__["__builtins__"] = self.builtins
        exec(self.get_code(module.__name__), module.__dict__)

    def get_code(self, name: str) -> "CodeType":
        spec = self.find_spec(name)
        if spec is None or spec.origin is None:
            raise ImportError("no module named " + name, name=name)
        return compile(self._sources[name], spec.origin, "exec", dont_inherit=True)

    def get_source(self, name: str) -> "str | None":
        """Let tracebacks show the lines of this package."""
        return self._sources.get(name)


def take_channel() -> "tuple[int, int]":
    """Move the ends of the channel to descriptors of their own, and close all other inherited ones."""
    orders, answers = os.dup(int(sys.argv[3])), os.dup(int(sys.argv[4]))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    for descriptor in open_descriptors():
        if descriptor > 2 and descriptor not in (orders, answers):
            try:
                os.close(descriptor)
            except OSError:
                pass  # It was the one that listed the folder.
    return orders, answers


def open_descriptors() -> "Iterable[int]":
    for folder in ("/proc/self/fd", "/dev/fd"):
        try:
            return [int(name) for name in os.listdir(folder)]
        except OSError:
            continue
    return range(3, 1024)


def library(path: "Sequence[str]") -> "list[str]":
    """The entries of a `sys.path` that belong to the standard library."""
    names = ("lib-dynload", "python%d%d.zip" % sys.version_info[:2])
    prefixes = (sys.base_prefix, sys.base_exec_prefix)
    folder = os.path.dirname(os.__file__)
    return [
        entry for entry in path if entry == folder or (entry.startswith(prefixes) and os.path.basename(entry) in names)
    ]


def main(file: "BufferedReader") -> None:
    before, path = set(sys.modules), list(sys.path)
    sys.path[:] = library(path)
    from _pickle import load

    order = load(file)
    channel = take_channel()
    sys.argv = ["portpool-worker"]
    package = BundledPackage(order["sources"])
    sys.meta_path.insert(0, package)

    from portpool import _stdlib

    package.builtins = _stdlib.own_builtins

    from portpool import _bounds, _copies, _fresh, _logs, _process, _stop

    if order["template"]:
        from portpool import _template as role
    else:
        from portpool import _start as role  # type: ignore[no-redef]
    _process.prepare(order["parent"])
    _bounds.take(order)
    _copies.take(channel)
    _stop.get_ready()
    _logs.get_ready()
    _fresh.get_ready(list(sys.path), order["started"])
    _stdlib.open_path([*map(os.fsdecode, order["python_path"]), *path], before)
    _copies.guard(role.serve, channel, order)


main(globals()["file"])
