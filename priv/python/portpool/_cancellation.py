"""Cancels a task until it is done, but not while it cleans up. docs/worker_protocol.md 8.3

Code may swallow a cancellation and continue: before Python 3.12 `asyncio.wait_for` does if what it waits for completes at the
same moment. So the task is cancelled again. But a second cancellation would break off a `finally` that awaits, so there is none
while any task in the loop handles a CancelledError.
"""

from __future__ import annotations

import gc
from types import AsyncGeneratorType, CoroutineType, FrameType, GeneratorType

TYPE_CHECKING = False  # see _boot.py
if TYPE_CHECKING:
    from typing import Any

# What a suspended task consists of. Those with names only are created by `await` and `async for`.
_PARTS = {
    CoroutineType,
    GeneratorType,
    AsyncGeneratorType,
    FrameType,  # Before Python 3.11 what a coroutine refers to is in its frame.
}
_PARTS_BY_NAME = {"coroutine_wrapper", "async_generator_asend", "async_generator_athrow", "anext_awaitable"}


class Cancellation:
    """The cancellation of one task. Everything here runs in the task's loop."""

    __slots__ = ("_asyncio", "_next", "_pause", "_task")

    def __init__(self, asyncio: Any, task: Any, pause: float) -> None:
        """Cancel it now, and check again after each pause, in seconds. 0 means never."""
        self._asyncio = asyncio
        self._task = task
        self._pause = pause
        self._next: Any = None
        task.cancel()
        self._wait()

    def _wait(self) -> None:
        if self._pause and not self._task.done():
            self._next = self._task.get_loop().call_later(self._pause, self._look)

    def _look(self) -> None:
        if not any(_is_cleaning_up(task, self._asyncio.CancelledError) for task in self._asyncio.all_tasks()):
            self._task.cancel()
        self._wait()

    def end(self) -> None:
        """Stop checking."""
        if self._next is not None:
            self._next.cancel()


def _is_cleaning_up(task: Any, cancelled: type[BaseException]) -> bool:
    """Whether the task, or something that it awaits, handles a CancelledError, or keeps one to raise it later."""
    parts, seen = [task.get_coro()], set()
    while parts:
        part = parts.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        kind = type(part)
        if kind in _PARTS or kind.__name__ in _PARTS_BY_NAME:
            parts.extend(gc.get_referents(part))
        elif issubclass(kind, BaseException):
            if issubclass(kind, cancelled):
                return True
            parts.extend([part.__context__, part.__cause__])
    return False
