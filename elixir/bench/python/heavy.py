"""What takes long to import."""

import importlib

import work


def load(modules):
    """Imports modules, whose names are text or, where ErlPort has sent them, bytes."""
    for name in modules:
        importlib.import_module(name if isinstance(name, str) else name.decode())
    return True


def hold(port, modules):
    load(modules)
    work.hold(port)
