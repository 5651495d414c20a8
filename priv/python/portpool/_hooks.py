"""Functions that modules register at import, to be called in each worker: `portpool.after_fork`."""

from __future__ import annotations

TYPE_CHECKING = False  # see _boot.py
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    Function = TypeVar("Function", bound=Callable[[], Any])

_functions: list[Callable[[], Any]] = []
# This process is a worker, and has called them.
_called = False
_COROUTINE = 0x80  # The flag of `async def`: inspect.CO_COROUTINE.


def after_fork(function: Function) -> Function:
    """Register a function without arguments to be called once in each worker: for connections, clients, seeds, threads.

    With `preload`, modules are imported once, in a template process that workers are forked from. Create here what
    workers must not share. Functions registered by modules that `preload` or `warmup` imports are called in each worker
    before `init`, in the order of registration; an exception is a start error. In a module that is imported later, by
    `init` or by a call, the function is called at once, and its exception is raised there. It can be used as a decorator.
    Coroutine functions are refused, because an event loop may be running where the function is called.
    """
    code = getattr(function, "__code__", None)
    if getattr(code, "co_flags", 0) & _COROUTINE:
        name = getattr(function, "__qualname__", "it")
        raise TypeError(f"after_fork takes no coroutine function, and {name} is one: call it in init, which is awaited")
    if _called:
        function()
    else:
        _functions.append(function)
    return function


def run() -> None:
    """Call the functions, including those registered in the meantime."""
    global _called
    for function in _functions:
        function()
    _called = True
