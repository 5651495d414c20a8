"""For tests of Python functions that Elixir or Erlang will call. docs/types.md has the rules::

    from portpool.testing import call, roundtrip

    def test_what_the_caller_gets():
        assert roundtrip({"stops": {1, 2}}) == {"stops": [1, 2]}
        assert call(routes.plan, [{"id": 1}]) == {"route": [1]}

Values go through the program, in the same way as in a pool: what fails there fails here, with the same message. The program is
the one that the wheel has installed, or the one that the environment variable PORTPOOL_BINARY names, or that of PATH.

``bytes`` and ``str`` both become binaries. Here each comes back as what it was.
"""

from __future__ import annotations

import json
from threading import Lock
from typing import TYPE_CHECKING

from portpool import _program
from portpool._calls import _is_awaitable
from portpool._codec import dumps, loads
from portpool._encoding import Unencodable
from portpool._program import ProgramError

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from typing import Any, Callable

__all__ = ["Error", "ProgramError", "call", "roundtrip"]

# The default of `max_frame`, in bytes. Twin of MAX_FRAME in src/config.rs.
_MAX_FRAME = 64 << 20
# How the program begins a message about a result.
_RESULT = "the result: "
# The encoder is made for a worker, which runs one call at a time.
_one_at_a_time = Lock()


class Error(Exception):
    """The caller would get an error instead of the value: the ``reason`` and ``message`` of a ``Portpool.Error``.

    ``path`` says where in the value the cause is (``key "stops", element 17``), and ``type`` is its Python type. Both may be
    empty.
    """

    def __init__(self, reason: str, message: str, path: str = "", type: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.path = path
        self.type = type


def roundtrip(value: object) -> Any:
    """Return the value as a term, in the way that Python sees terms: sent to the caller, and back as an argument.

    Encoders and decoders that are registered in this process apply. Raises Error if the call of a function that returns the
    value would fail, and ProgramError if the program cannot be used.
    """
    try:
        with _one_at_a_time:
            data = b"".join(dumps(value))
    except Unencodable as error:
        raise _refused(error) from None
    if len(data) > _MAX_FRAME:
        from portpool import _errors

        raise Error("too_large", _errors.too_large(len(data), _MAX_FRAME)["message"])
    head, rest = _ask(data)
    try:
        return _read(head, rest)
    except Unencodable as error:
        raise _refused(error) from None


def call(function: Callable[..., Any], /, *args: object, **kwargs: object) -> Any:
    """Call a function with its arguments as it gets them in a worker, and return what the caller gets.

    The result of a coroutine function is awaited. What the function raises is raised.
    """
    arrived = [_argument(f"argument {number}", value) for number, value in enumerate(args, 1)]
    named = {name: _argument(f"argument {name}", value) for name, value in kwargs.items()}
    result = function(*arrived, **named)
    if _is_awaitable(result, type(result)):
        import asyncio

        result = asyncio.run(_wait_for(result))
    return roundtrip(result)


async def _wait_for(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def _argument(name: str, value: object) -> Any:
    try:
        return roundtrip(value)
    except Error as error:
        path = f"{name}, {error.path}" if error.path else name
        message = error.message[len(_RESULT) :] if error.message.startswith(_RESULT) else error.message
        raise Error(error.reason, f"{name}: {message}", path, error.type) from None


def _ask(data: bytes) -> tuple[dict[str, Any], memoryview]:
    """Return the first line of the program's answer, and what follows it: src/cli/roundtrip.rs."""
    line, _, rest = _program.run("roundtrip", data).partition(b"\n")
    head = json.loads(line)
    _program.check_version(head["version"])
    if "error" in head:
        raise Error(**head["error"])
    return head, memoryview(rest)


def _read(head: dict[str, Any], rest: memoryview) -> Any:
    buffers = []
    for size in head["buffers"]:
        buffers.append(bytes(rest[:size]))
        rest = rest[size:]
    _module, _function, (value,), _kwargs = loads(rest, buffers=buffers)
    return value


def _refused(error: Unencodable) -> Error:
    return Error("unencodable", str(error), error.path, error.type_name or "")
