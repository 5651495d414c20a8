"""What modules ask for at their import, to be done in each worker: `portpool.after_fork`."""

from __future__ import annotations

TYPE_CHECKING = False  # see _boot.py
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    Function = TypeVar("Function", bound=Callable[[], Any])

_functions: list[Callable[[], Any]] = []


def after_fork(function: Function) -> Function:
    """Has a function without arguments called in each worker, before `init`: for connections, clients, seeds, threads.

    With `preload`, modules are imported once, in a template process from which workers are forked: what must not be
    shared is made here. A worker that is not forked calls the function too, once, at the same place. It is for modules
    that `preload` or `warmup` import; functions are called in the order in which they came, and what one raises is a
    start error. Can be used as a decorator.
    """
    _functions.append(function)
    return function


def run() -> None:
    for function in _functions:
        function()
