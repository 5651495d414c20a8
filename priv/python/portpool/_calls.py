"""What a call names: the function is found, and called. docs/worker_protocol.md 3."""

from __future__ import annotations

import builtins
import sys
from types import CoroutineType

from portpool import _stdlib
from portpool._codec import loads
from portpool._say import short_name, text_of

TYPE_CHECKING = False  # see _boot.py
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from portpool._wire import Chunk

_modules = sys.modules


class Undefined(Exception):
    """There is no such module or function: the answer is `undef`."""

    def __init__(self, module: str, function: str, message: str) -> None:
        super().__init__(message)
        self.module = module
        self.function = function


def run(body: Chunk, buffers: Sequence[bytes] = ()) -> Any:
    """Calls what the body of a call frame names."""
    module, function, args, kwargs = loads(body, buffers=buffers) if buffers else loads(body)
    target = find(module, function)
    try:
        result = target(*args, **kwargs) if kwargs else target(*args)
    except TypeError as error:
        _refuse_wrong_arity(error, module, function, target, args, kwargs)
        raise
    if result.__class__ is CoroutineType:
        return _stdlib.load("asyncio").run(result)
    return result


def find(module: str, function: str) -> Callable[..., Any]:
    """The function that a call names. It is looked up each time: a module may rebind its names."""
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
        raise Undefined(module, function, f"{module}.{function} is no function but a {short_name(type(target))}")
    return target  # type: ignore[no-any-return]


def import_module(module: str, function: str) -> Any:
    """The module that a call names, which nobody has imported yet."""
    try:
        builtins.__import__(module)  # As the user would: see _stdlib.py.
    except ModuleNotFoundError as error:
        from portpool import _missing

        if _missing.is_module(error, module):
            raise Undefined(module, function, f"there is no module {module}") from error
        raise
    except ValueError as error:
        if not module:
            raise Undefined(module, function, "the name of the module is empty") from error
        raise
    return _modules[module]


def _refuse_wrong_arity(
    error: TypeError, module: str, function: str, target: Callable[..., Any], args: tuple[Any, ...], kwargs: Any
) -> None:
    """Like Erlang, calls it `undef` if no function of that name takes these arguments; a TypeError from inside is not that."""
    traceback = error.__traceback__
    if traceback is None or traceback.tb_next is not None:
        return
    import inspect

    try:
        signature = inspect.signature(target)
        shown = str(signature)
    except Exception:  # It has none, or what it says of itself cannot be used.
        return
    try:
        signature.bind(*args, **(kwargs or {}))
    except TypeError as mismatch:
        message = f"{module}.{function}{shown} does not take these arguments: {text_of(mismatch)}"
        raise Undefined(module, function, message) from error
