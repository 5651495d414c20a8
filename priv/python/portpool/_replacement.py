"""Records why this worker must be replaced. docs/worker_protocol.md 4.4"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # see _boot.py
if TYPE_CHECKING:
    from types import FrameType

# What is to be told to the server with the next reply: why, and whether the worker must not take another call.
reasons: list[tuple[str, bool]] = []
# What has been said already, by whether it was urgent.
_said: set[bool] = set()

_IMPORTERS = frozenset({"<frozen importlib._bootstrap>", "<frozen importlib._bootstrap_external>", "<frozen zipimport>"})


def ask(reason: str, at_once: bool) -> None:
    """Ask for this worker to be replaced: when its successor is ready, or at once, so that it takes no other call."""
    if True not in _said and at_once not in _said:
        _said.add(at_once)
        reasons.append((reason, at_once))


def note_imports() -> None:
    """Call this at an interrupt: a module whose import was interrupted stays half a module."""
    for frame in sys._current_frames().values():
        name = _imported(frame)
        if name is not None:
            ask(f"a call was interrupted while {name} was imported", True)
            return


def _imported(frame: FrameType | None) -> str | None:
    """Return the module that is being imported on this stack, if there is one."""
    is_importing = False
    while frame is not None:
        if frame.f_code.co_filename in _IMPORTERS:
            is_importing = True
            seen = frame.f_locals
            # Of a specification or a loader; a module must not be asked, since it may be one that loads itself when it is.
            name = getattr(seen.get("spec") or seen.get("self"), "name", None) or seen.get("name")
            if type(name) is str:
                return name
        frame = frame.f_back
    return "a module" if is_importing else None
