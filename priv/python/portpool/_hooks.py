"""What modules ask for at their import, to be done in each worker: `portpool.after_fork`."""

from __future__ import annotations

TYPE_CHECKING = False  # see _boot.py
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    Function = TypeVar("Function", bound=Callable[[], Any])

_functions: list[Callable[[], Any]] = []
# This process is a worker, and has called them.
_called = False


def after_fork(function: Function) -> Function:
    """Calls a function without arguments once in each worker: for connections, clients, seeds, threads.

    With `preload`, modules are imported once, in a template process that workers are forked from: what workers must not
    share is made here. The functions of modules that `preload` or `warmup` imports are called in each worker before
    `init`, in the order in which they came; what one raises is a start error. In a module that is imported later, by
    `init` or by a call, the function is called at once, where it is given, and what it raises is raised there. Can be
    used as a decorator.
    """
    if _called:
        function()
    else:
        _functions.append(function)
    return function


def run() -> None:
    """Calls the functions, also those that come while it does."""
    global _called
    for function in _functions:
        function()
    _called = True
