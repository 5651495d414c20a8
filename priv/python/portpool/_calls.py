"""Finds and calls the function that a call names. docs/worker_protocol.md 3."""

from __future__ import annotations

import builtins
import sys
from types import GeneratorType

from portpool._codec import loads
from portpool._say import short_name

TYPE_CHECKING = False  # see _boot.py
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from portpool._loop import Loop
    from portpool._wire import Chunk

_modules = sys.modules
# Results of these types are never awaitable, which saves looking.
_NEVER_AWAITED = frozenset({type(None), bool, int, float, str, bytes, list, tuple, dict})
_ITERABLE_COROUTINE = 0x100  # The flag of `types.coroutine`: inspect.CO_ITERABLE_COROUTINE.
# The worker's event loop, once a coroutine has come.
_loop: Loop | None = None


class Undefined(Exception):
    """The module or function does not exist: the answer is `undef`."""

    def __init__(self, module: str, function: str, message: str) -> None:
        super().__init__(message)
        self.module = module
        self.function = function


def run(body: Chunk, buffers: Sequence[bytes] = (), passing: bool = False) -> Any:
    """Call what the body of a call frame names, and await an awaitable result: in the worker's loop, or in a temporary one, for a
    process that will be forked."""
    module, function, args, kwargs = loads(body, buffers=buffers) if buffers else loads(body)
    target = find(module, function)
    if _loop is not None:
        _loop.make_current()
    try:
        result = target(*args, **kwargs) if kwargs else target(*args)
    except TypeError as error:
        trace = error.__traceback__
        if trace is not None and trace.tb_next is None:  # Python has raised it at the call, or C code.
            from portpool import _missing

            mismatch = _missing.mismatch(target, args, kwargs)
            if mismatch:  # As in Erlang, a function that takes other arguments is another function.
                raise Undefined(module, function, f"{module}.{function}{mismatch}") from error
        raise
    kind = type(result)
    if kind not in _NEVER_AWAITED and _is_awaitable(result, kind):
        return _run_apart(result) if passing else loop().run(result)
    return result


def _is_awaitable(result: Any, kind: type) -> bool:
    """Return whether it is a coroutine, a future, or anything else that `await` accepts."""
    if kind is GeneratorType:
        return bool(result.gi_code.co_flags & _ITERABLE_COROUTINE)
    try:
        return getattr(kind, "__await__", None) is not None
    except Exception:
        return False  # A metaclass may do anything.


def loop() -> Loop:
    """Return the loop of this worker, created now if there is none."""
    global _loop
    if _loop is None:
        from portpool._loop import Loop

        _loop = Loop(adopt=True)
    return _loop


def _run_apart(awaitable: Any) -> Any:
    from portpool._loop import Loop

    loop = Loop(adopt=False)
    try:
        return loop.run(awaitable)
    finally:
        loop.wind_up()
        loop.close()
        loop.forget()


def wind_up() -> None:
    """End what is running in the loop. Exit handlers can still use it."""
    if _loop is not None:
        _loop.wind_up()


def close_loop() -> None:
    """Close the loop for good, if there is one."""
    global _loop
    if _loop is not None:
        _loop.close()
        _loop = None


def find(module: str, function: str) -> Callable[..., Any]:
    """Return the function that a call names. It is looked up each time, because a module may rebind its names."""
    target: Any = _modules.get(module)
    if target is None:
        target = import_module(module, function)
    for name in function.split(".") if "." in function else (function,):
        try:
            target = getattr(target, name)
        except AttributeError as error:
            from portpool import _missing

            if _missing.is_plain(error, target, name):
                raise Undefined(module, function, f"{module} has no function {function}") from error
            raise
    if not callable(target):
        raise Undefined(module, function, f"{module}.{function} is not a function but a {short_name(type(target))}")
    return target  # type: ignore[no-any-return]


def import_module(module: str, function: str) -> Any:
    """Import the module that a call names."""
    try:
        builtins.__import__(module)  # As the user would: see _stdlib.py.
    except ModuleNotFoundError as error:
        from portpool import _missing

        if _missing.is_module(error, module):
            hints = _missing.locale_hint(module) + _missing.package_hint(module)
            raise Undefined(module, function, f"there is no module {module}{hints}") from error
        raise
    except ValueError as error:
        if not module:
            raise Undefined(module, function, "the name of the module is empty") from error
        raise
    return _modules[module]
