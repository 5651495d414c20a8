"""Describes calls without a result for the server. Imported at the first failure, because tracebacks are slow to import."""

from __future__ import annotations

import sys

from portpool import _wire
from portpool._calls import Undefined
from portpool._encoding import Unencodable
from portpool._say import told, type_name

TYPE_CHECKING = False  # see _boot.py
if TYPE_CHECKING:
    import traceback
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any, TypeVar

    T = TypeVar("T")

_MESSAGE = 8 << 10
_TRACEBACK = 64 << 10
_FRAMES = 100


def describe(error: BaseException) -> tuple[int, dict[str, Any]]:
    """Return the kind of the frame and its fields: docs/worker_protocol.md 4."""
    if type(error) is Undefined:
        return _wire.UNDEF, _printable(_undefined(error))
    if issubclass(type(error), Unencodable) and isinstance(error, Unencodable):
        return _wire.UNENCODABLE, _printable(_unencodable(error))
    return _wire.RAISED, _printable(raised(error))


def failed(stage: str, error: BaseException) -> dict[str, Any]:
    """Describe why this process cannot become ready: what it was doing, and what was raised."""
    if type(error) is Undefined:
        hint = _hint(error.module, error.function)
        fields = describe(error.__cause__ or TypeError(str(error)))[1]
        message = f"{error}; {hint}" if hint else str(error)
    else:
        fields = describe(error)[1]
        message = fields["message"]
    return {**fields, "message": _printable(_cut(f"{stage}: {message}", _MESSAGE))}


def too_large(size: int, limit: int) -> dict[str, Any]:
    message = f"the result takes {size} bytes, but max_frame is {limit}: return less, or raise max_frame"
    return {"message": message, "bytes": size, "limit": limit}


def shortened(fields: dict[str, Any], limit: int) -> dict[str, Any]:
    """Shorten an error that is larger than a frame to its most important parts."""
    part = limit // 32  # A character takes up to four bytes, and there are at most four texts.
    texts = {key: _cut(value, part) for key, value in fields.items() if isinstance(value, str)}
    return {**texts, "frames": []} if "frames" in fields else texts


def raised(error: BaseException) -> dict[str, Any]:
    """Describe an exception with its traceback, without the frames of this package."""
    trace = _traceback_of(error)
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith("<portpool>"):
        trace = trace.tb_next
    message = told(error)
    if issubclass(type(error), ModuleNotFoundError) and isinstance(error, ModuleNotFoundError):
        message += _package_hint(error)
    try:
        import traceback

        report = traceback.TracebackException(type(error), error, trace)
        text, frames = "".join(report.format()), _frames(report.stack)
    except BaseException:  # Its class or what belongs to it does not let itself be asked, or its causes are too many.
        text, frames = _bare(message, trace)
    return {
        "message": _cut(message, _MESSAGE),
        "type": type_name(type(error)),
        "traceback": _cut(text, _TRACEBACK),
        "frames": frames,
    }


def _package_hint(error: ModuleNotFoundError) -> str:
    from portpool import _missing

    try:
        return _missing.package_hint(error.name)
    except BaseException:  # A user's class or path may do anything.
        return ""


_traceback_of: Callable[[BaseException], TracebackType | None] = BaseException.__dict__["__traceback__"].__get__


def _bare(message: str, trace: TracebackType | None) -> tuple[str, list[dict[str, Any]]]:
    """A traceback without lines of code and causes, so that no user code runs."""
    frames = []
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append({"file": code.co_filename, "line": trace.tb_lineno or 0, "function": code.co_name, "code": ""})
        trace = trace.tb_next
    frames = _ends(frames)
    lines = [f'  File "{frame["file"]}", line {frame["line"]}, in {frame["function"]}\n' for frame in frames]
    return "".join(["Traceback (most recent call last):\n", *lines, message, "\n"]), frames


def _undefined(error: Undefined) -> dict[str, Any]:
    return {
        "message": _cut(str(error), _MESSAGE),
        "module": error.module,
        "function": error.function,
        "hint": _hint(error.module, error.function),
    }


def _unencodable(error: Unencodable) -> dict[str, Any]:
    fields = {"message": _cut(str(error), _MESSAGE), "path": error.path, "type": error.type_name or ""}
    return {**fields, "argument": True} if error.is_argument else fields


def _hint(module: str, function: str) -> str:
    """The most similar existing name, or the path that Python has searched."""
    if module not in sys.modules:
        return "looked in: " + ", ".join(entry for entry in sys.path if isinstance(entry, str))
    try:
        near = _nearest(sys.modules[module], function.split("."))
    except BaseException:  # a __getattr__ or __dir__ of a user's own may do anything
        near = ""
    return f"did you mean {near}?" if near else ""


def _nearest(owner: Any, path: list[str]) -> str:
    """The path with its first wrong name corrected; empty if all names are right, and only the arguments are wrong."""
    import difflib

    for position, name in enumerate(path):
        if not hasattr(owner, name):
            is_last = position == len(path) - 1
            names = [other for other in dir(owner) if not is_last or callable(getattr(owner, other, None))]
            near = difflib.get_close_matches(name, names, 1)
            return ".".join([*path[:position], *near, *path[position + 1 :]]) if near else ""
        owner = getattr(owner, name)
    return ""


def _frames(stack: traceback.StackSummary) -> list[dict[str, Any]]:
    return [
        {"file": frame.filename, "line": frame.lineno or 0, "function": frame.name, "code": frame.line or ""}
        for frame in _ends(stack)
    ]


def _ends(frames: list[T]) -> list[T]:
    """The frames, outermost first; a very deep stack loses its middle."""
    return frames if len(frames) <= _FRAMES else frames[: _FRAMES // 2] + frames[-_FRAMES // 2 :]


def _cut(text: str, limit: int) -> str:
    """Shorten a text that is too long to its beginning and end."""
    if len(text) > limit:
        text = f"{text[: limit // 2]}\n... {len(text) - limit} characters left out ...\n{text[-limit // 2 :]}"
    return text


def _printable(value: Any) -> Any:
    """Remove from all texts in a value what is not UTF-8; file names and messages may contain anything."""
    if isinstance(value, str):
        return str(value).encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, dict):
        return {key: _printable(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_printable(part) for part in value]
    return value
