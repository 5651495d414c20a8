"""Makes a clean process ready: preload, warmup, after_fork, init, in this order. docs/worker_protocol.md 1."""

from __future__ import annotations

import atexit
import builtins  # A module of the user is imported as the user would: see _stdlib.py.
import os
import sys

from portpool import _calls, _copies, _hooks, _signals, _wire, _worker
from portpool._codec import dumps

TYPE_CHECKING = False  # see _boot.py
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from portpool._wire import Channel


def serve(channel: Channel, order: dict[str, Any]) -> None:
    """Get ready, say hello and serve. Returns when the server has closed the channel."""
    at_exit()
    attempt(channel, order, import_all)
    attempt(channel, order, make_ready)
    serve_calls(channel, order)


def serve_calls(channel: Channel, order: dict[str, Any]) -> None:
    _worker.serve(channel, order["max_frame"], order["max_memory"], order["busy_poll"])
    _calls.wind_up()


def at_exit() -> None:
    """Close the event loop after all handlers registered later, which may need it."""
    atexit.register(_calls.close_loop)


def attempt(channel: Channel, order: dict[str, Any], part: Callable[[dict[str, Any], Stage], None]) -> None:
    """Run one part of the start. If it raises, report it to the server, and end this process with status 1."""
    stage = Stage()
    try:
        part(order, stage)
        if _copies.is_copy():
            _copies.leave()
        _signals.take_back()
    except BaseException as error:  # sys.exit in a module must not look like a successful start
        if _copies.is_copy():
            _copies.leave(error)
        fields = failed(stage.name, error)
        _worker.send(channel[1], 0, (_wire.FAILED, dumps(fields)), order["max_frame"])
        sys.exit(1)


def failed(stage: str, error: BaseException) -> dict[str, Any]:
    """Describe an error in this stage for the server: docs/worker_protocol.md 4."""
    try:
        from portpool import _errors

        return _errors.failed(stage, error)
    except BaseException as second:  # see `_worker.describe`
        fields = _worker.last_resort(error, second)
        return {**fields, "message": f"{stage}: {fields['message']}"}


class Stage:
    """The current stage, for messages."""

    name = ""


def import_all(order: dict[str, Any], stage: Stage) -> None:
    """Run what a template does once, and what a worker without a template does itself."""
    if order["venv"] is not None:
        stage.name = "venv"
        _check_venv(*order["venv"])
    for module in order["preload"]:
        stage.name = f"preload of {module}"
        builtins.__import__(module)
    if order["warmup"] is not None:
        # An event loop must not be forked.
        _call(order["warmup"], "warmup", stage, passing=True)


def _check_venv(version: str, base_prefix: bytes) -> None:
    """Check that this is the interpreter that the server has checked: it may have been replaced since."""
    found = "%d.%d" % sys.version_info[:2]
    if (found, os.fsencode(sys.base_prefix)) != (version, base_prefix):
        raise RuntimeError(
            f"bin/python of {sys.prefix} runs Python {found} ({sys.base_prefix}) now. When this pool started, "
            f"it was Python {version} ({os.fsdecode(base_prefix)}): start the pool again"
        )


def make_ready(order: dict[str, Any], stage: Stage) -> None:
    """Run what each worker does."""
    stage.name = "after_fork"
    _hooks.run()
    if order["init"] is not None:
        _call(order["init"], "init", stage)


def _call(call: tuple[str, bytes], option: str, stage: Stage, passing: bool = False) -> None:
    name, pickle = call
    stage.name = f"{option} {name}"
    _calls.run(pickle, passing=passing)
