"""The first code of a worker or template: drops what it has inherited, makes the package importable. docs/worker_protocol.md 1.

The stub runs it, with the channel in `file`. Imports are few and light: a worker must be ready within 25 ms.
"""

# No `from __future__ import annotations`: that too is an import, and here the path is still the user's.
import os
import sys
from _frozen_importlib import ModuleSpec, module_from_spec
from _thread import RLock

TYPE_CHECKING = False  # importing typing would take a fifth of the time that a worker has to boot
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from io import BufferedReader
    from types import CodeType, ModuleType
    from typing import Any


class BundledPackage:
    """Imports the modules of this package from the sources in the start order, without files on disk.

    The package imports its own modules here, also those that it needs late. So it does not matter what user code does to
    `sys.modules`, `sys.path` and `sys.meta_path`, and there is one of each module.
    """

    def __init__(self, sources: "dict[str, str]") -> None:
        self._sources = sources
        self._modules: "dict[str, ModuleType]" = {}
        self._lock = RLock()
        # The import of everything else: that of `_stdlib.py`, once it is there.
        self.import_other: "Callable[..., Any]" = __import__
        # The builtins of the modules.
        self._builtins = {**vars(sys.modules["builtins"]), "__import__": self.import_}
        os.register_at_fork(after_in_child=self._renew_lock)

    def _renew_lock(self) -> None:
        self._lock = RLock()

    def import_(
        self,
        name: str,
        globals: "Any" = None,
        locals: "Any" = None,
        fromlist: "Sequence[str] | None" = None,
        level: int = 0,
    ) -> "Any":
        """The `__import__` of the modules of this package."""
        if name not in self._sources:
            return self.import_other(name, globals, locals, fromlist or (), level)
        module = self.load(name)
        if not fromlist:
            return self.load("portpool")
        for child in fromlist:
            if f"{name}.{child}" in self._sources:
                self.load(f"{name}.{child}")
        return module

    def load(self, name: str) -> "ModuleType":
        with self._lock:
            module = self._modules.get(name)
            if module is None:
                spec = self.find_spec(name)
                if spec is None:
                    raise ImportError("no module named " + name, name=name)
                module = module_from_spec(spec)
                sys.modules[name] = module
                self.exec_module(module)
                parent, _, child = name.rpartition(".")
                if parent:
                    setattr(self.load(parent), child, module)
            return module

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

    def create_module(self, spec: ModuleSpec) -> "ModuleType | None":
        return self._modules.get(spec.name)

    def exec_module(self, module: "ModuleType") -> None:
        name = module.__name__
        with self._lock:
            if name in self._modules:
                return
            self._modules[name] = module
            module.__dict__["__builtins__"] = self._builtins
            try:
                exec(self.get_code(name), module.__dict__)
            except BaseException:
                del self._modules[name]
                raise

    def get_code(self, name: str) -> "CodeType":
        spec = self.find_spec(name)
        if spec is None or spec.origin is None:
            raise ImportError("no module named " + name, name=name)
        return compile(self._sources[name], spec.origin, "exec", dont_inherit=True)

    def get_source(self, name: str) -> "str | None":
        """Lets tracebacks show the lines of this package."""
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
    if os.environ.get("PYTHONSAFEPATH") == "portpool":
        del os.environ["PYTHONSAFEPATH"]  # It was for this process alone: see src/worker/python.rs.
    # An installed package that a `.pth` file or `sitecustomize` has imported.
    for name in [name for name in sys.modules if name.partition(".")[0] == "portpool"]:
        del sys.modules[name]
    package = BundledPackage(order["sources"])
    sys.meta_path.insert(0, package)

    def own(name: str) -> "Any":
        return package.load("portpool." + name)

    package.load("portpool")
    stdlib = own("_stdlib")
    package.import_other = stdlib.import_

    own("_process").prepare(order["parent"])
    if order["cgroup"] or order["rlimits"] or order["memory_limit"] is not None or order["no_new_privs"]:
        own("_bounds").take(order)
    copies = own("_copies")
    copies.take(channel)
    role = own("_template" if order["template"] else "_start")
    own("_stop").get_ready()
    own("_logs").get_ready()
    own("_fresh").get_ready(list(sys.path), order["started"])
    stdlib.open_path([*map(os.fsdecode, order["python_path"]), *path], before)
    copies.guard(role.serve, channel, order)


main(globals()["file"])
