"""Imports a module in the ways there are."""

import importlib
import importlib.util
import pickle
import sys
import threading
import time

import portpool


def by_statement():
    import slow_to_import

    return slow_to_import.both()


def by_function():
    return importlib.import_module("slow_to_import").both()


def by_name():
    return __import__("slow_to_import").both()


def by_c():
    return pickle.loads(b"cslow_to_import\nboth\n")()


def by_spec():
    spec = importlib.util.find_spec("slow_to_import")
    module = importlib.util.module_from_spec(spec)
    sys.modules["slow_to_import"] = module
    spec.loader.exec_module(module)
    return module.both()


def by_lazy_loader():
    spec = importlib.util.find_spec("slow_to_import")
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    sys.modules["slow_to_import"] = module
    spec.loader.exec_module(module)
    return module.both()


def swallows():
    """The interrupt is not even seen by whoever imports."""
    try:
        import slow_to_import
    except BaseException:
        return "half"
    return slow_to_import.both()


def reloads():
    import os

    path = os.environ.pop("SLOW_IMPORT")
    import slow_to_import

    os.environ["SLOW_IMPORT"] = path
    return importlib.reload(slow_to_import).both()


def in_a_thread():
    thread = threading.Thread(target=by_statement)
    thread.daemon = True
    thread.start()
    while True:
        time.sleep(3600)


def after_an_import():
    import json

    json.dumps(1)
    while True:
        time.sleep(3600)
