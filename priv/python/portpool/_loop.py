"""The event loop of a worker, one for its whole life. Imported for the first coroutine. docs/worker_protocol.md 8"""

from __future__ import annotations

import os
import sys
from types import CoroutineType

from portpool import _copies, _stdlib, _stop
from portpool._cancellation import Cancellation

TYPE_CHECKING = False  # see _boot.py
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

# How long, in seconds, tasks have to end when the worker ends, and then async generators. The server waits a second.
_LIMIT = 0.3


def _asyncio() -> Any:
    return _stdlib.load("asyncio")


class Loop:
    """Runs coroutines one by one. What they leave in the loop continues with the next one."""

    __slots__ = ("_asyncio", "_cancellation", "_folder", "_loop", "_pause", "_task")

    def __init__(self, adopt: bool = True) -> None:
        """Use the current loop, if there is one: something may already be bound to it."""
        self._asyncio = _asyncio()
        self._folder = os.path.dirname(self._asyncio.__file__) + os.sep
        self._loop = (adopt and _current(self._asyncio)) or self._asyncio.new_event_loop()
        self._task: Any = None
        self._cancellation: Cancellation | None = None
        # How long each pause of a requested cancellation is, in seconds.
        self._pause: float | None = None
        _stop.loop_runs[0] = self._is_running

    def make_current(self) -> None:
        """Make it the current loop, so that `asyncio.get_event_loop()` finds it even after `asyncio.run`."""
        if self._loop.is_closed():
            self._loop = self._asyncio.new_event_loop()
        self._asyncio.set_event_loop(self._loop)

    def run(self, awaitable: Any) -> Any:
        """Run the loop until this is done. An interrupt of the call cancels it."""
        self._task, self._pause, self._cancellation = None, None, None
        _stop.cancel[0] = self._cancel
        try:
            self.make_current()
            coroutine = awaitable if type(awaitable) is CoroutineType else _wait_for(awaitable)
            self._task = task = self._loop.create_task(coroutine)
            if self._pause is not None:
                self._begin_to_cancel(task)
            return self._loop.run_until_complete(task)
        except BaseException as error:
            if self._task is not None and not _copies.is_copy():
                self._end(self._task)
            raise error.with_traceback(self._without_ours(error.__traceback__))  # noqa: B904 - it is the same one
        finally:
            _stop.cancel[0] = None
            if self._cancellation is not None:
                self._cancellation.end()
            self._task = self._cancellation = None

    def _cancel(self, pause: float) -> None:
        """Cancel the task. Called by a signal handler, at any time."""
        self._pause = pause
        if self._task is not None:
            self._loop.call_soon_threadsafe(self._begin_to_cancel, self._task)

    def _begin_to_cancel(self, task: Any) -> None:
        # The loop may run this only in a later call. A signal right after the task was created requests it twice.
        if task is self._task and self._cancellation is None:
            self._cancellation = Cancellation(self._asyncio, task, self._pause or 0)

    def _end(self, task: Any) -> None:
        """End the task after another one has stopped the loop, perhaps with SystemExit: it must not continue in a later call."""
        while not task.done():
            task.cancel()
            try:
                self._loop.run_until_complete(task)
            except BaseException:  # the first one counts
                pass

    def _is_running(self) -> bool:
        return bool(self._loop.is_running())

    def _without_ours(self, trace: TracebackType | None) -> TracebackType | None:
        """Return the traceback from the beginning of the coroutine."""
        begin = trace
        while begin is not None and begin.tb_frame.f_code.co_filename.startswith(("<portpool>", self._folder)):
            begin = begin.tb_next
        return begin or trace

    def wind_up(self) -> None:
        """Cancel what is left, and end async generators and the default executor. The loop can still be used."""
        if self._loop.is_closed():
            return
        self.make_current()
        try:
            self._loop.run_until_complete(self._last())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
        except BaseException:  # the worker ends in any case
            sys.excepthook(*sys.exc_info())

    async def _last(self) -> None:
        asyncio = self._asyncio
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_LIMIT)
        await asyncio.wait({asyncio.ensure_future(self._loop.shutdown_asyncgens())}, timeout=_LIMIT)

    def close(self) -> None:
        self._loop.close()

    def forget(self) -> None:
        """Unset the current loop, as if none had been created: the next request for one creates it."""
        forget(self._asyncio)


def forget(asyncio: Any) -> None:
    """Unset the current loop of this process, as if none had been created. From 3.12 on, `asyncio` does that at a fork."""
    policy = asyncio.events._event_loop_policy
    if policy is not None:
        policy._local = type(policy._local)()


async def _wait_for(awaitable: Any) -> Any:
    return await awaitable


def _current(asyncio: Any) -> Any:
    """Return the current loop of this thread, if there is one. `asyncio.get_event_loop` might create one, with a warning."""
    loop = getattr(getattr(asyncio.events._event_loop_policy, "_local", None), "_loop", None)
    return None if loop is None or loop.is_closed() else loop
