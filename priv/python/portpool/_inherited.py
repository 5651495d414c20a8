"""Keeps workers from running the exit handlers of their template, which would then run once per worker. docs/worker_protocol.md 5.10"""

from __future__ import annotations

import atexit
import gc
from io import BufferedRandom, BufferedWriter, TextIOWrapper

from portpool import _library

TYPE_CHECKING = False  # see _boot.py
if TYPE_CHECKING:
    from typing import Any

_BUFFERED = (TextIOWrapper, BufferedWriter, BufferedRandom)
# What the standard library has registered to be done at exit, for whatever there is then.
_AT_EXIT = (("weakref", "finalize._exitfunc"), ("multiprocessing.util", "_exit_function"))
_AT_THREAD_END = ("concurrent.futures.thread", "concurrent.futures.process")


class Inherited:
    """Things created in the template that act when the process ends."""

    __slots__ = ("_closers", "_handlers")

    def __init__(self) -> None:
        """Create this when the template is ready. It writes the buffers of the template's files, or each worker would write them again."""
        closer = getattr(_module("tempfile"), "_TemporaryFileCloser", ())
        self._closers: list[Any] = []
        for value in gc.get_objects():
            kind = type(value)
            if issubclass(kind, _BUFFERED):
                _flush(value)
            elif issubclass(kind, closer):
                self._closers.append(value)
        logging = _module("logging")
        self._handlers = [] if logging is None else _handlers(logging)
        for handler in self._handlers:
            _flush_handler(handler)

    def drop(self) -> None:
        """Call this in a worker: from now on, only what it registers itself runs at its end."""
        for closer in self._closers:
            closer.delete = False  # The file of a NamedTemporaryFile is the template's.
        atexit._clear()
        _drop_finalizers()
        _drop_processes()
        _drop_threads()
        _drop_loop()
        if _module("logging") is not None:
            atexit.register(self._end_logging)
        for name, path in _AT_EXIT:
            _register(name, path)

    def _end_logging(self) -> None:
        """Do what `logging` does at exit: flush inherited handlers, and also close those of this worker."""
        logging = _module("logging")
        if logging is None:
            return
        for handler in self._handlers:
            _flush_handler(handler)
        own = [reference for reference in logging._handlerList if reference() not in self._handlers]
        logging.shutdown(own)


def _module(name: str) -> Any:
    """Return a module of the standard library, if it has been imported."""
    return _library.genuine(name)


def _flush(file: Any) -> None:
    try:
        if not file.closed:
            file.flush()
    except Exception:
        pass  # It cannot be written: it is only read, or its other end is gone.


def _handlers(logging: Any) -> list[Any]:
    return [handler for handler in (reference() for reference in logging._handlerList) if handler is not None]


def _flush_handler(handler: Any) -> None:
    try:
        handler.acquire()
        try:
            if getattr(handler, "flushOnClose", True):
                handler.flush()
        finally:
            handler.release()
    except Exception:
        pass  # As logging has it at exit.


def _register(name: str, path: str) -> None:
    found = _module(name)
    for part in path.split("."):
        found = getattr(found, part, None)
    if found is not None:
        atexit.register(found)


def _drop_finalizers() -> None:
    finalize = getattr(_module("weakref"), "finalize", None)
    for finalizer in list(getattr(finalize, "_registry", ())):
        finalizer.detach()
    # Those of this worker are called at exit because `drop` registers that.


def _drop_processes() -> None:
    getattr(_module("multiprocessing.util"), "_finalizer_registry", {}).clear()
    # Processes of the template: this one could not wait for them, but would terminate them.
    getattr(_module("multiprocessing.process"), "_children", set()).clear()


def _drop_threads() -> None:
    threading = _module("threading")
    registered = getattr(threading, "_threading_atexits", None)
    if registered is None:
        return
    registered.clear()
    for name in _AT_THREAD_END:
        function = getattr(_module(name), "_python_exit", None)
        if function is not None:
            threading._register_atexit(function)


def _drop_loop() -> None:
    asyncio = _module("asyncio")
    if asyncio is not None:
        from portpool import _loop

        _loop.forget(asyncio)
