"""Shows values in messages without running their code: a user's `repr` may raise or never end."""

from __future__ import annotations

from portpool._say import type_name

TYPE_CHECKING = False  # see _boot.py
if TYPE_CHECKING:
    from typing import Any

_TEXT = 40
_ELEMENTS = 4
_DEPTH = 3


def show(value: Any, depth: int = 0) -> str:
    """Show a key of a dict, shortened; if it is not plain, only its type."""
    cls = type(value)
    if issubclass(cls, str):
        return _quoted(str.__str__(value), type_name(cls) == "portpool.Atom")
    if cls is int:
        return repr(value) if value.bit_length() <= 3 * _TEXT else f"<int of {value.bit_length()} bits>"
    if cls is float or cls is bool or value is None:
        return repr(value)
    if cls is bytes:
        return repr(value if len(value) <= _TEXT else value[:_TEXT] + b"..")
    if cls is tuple and depth < _DEPTH:
        shown = [show(element, depth + 1) for element in value[:_ELEMENTS]]
        more = [".."] if len(value) > _ELEMENTS else []
        return f"({', '.join(shown + more)}{',' if len(value) == 1 else ''})"
    return f"<{type_name(cls)}>"


def _quoted(text: str, is_atom: bool) -> str:
    short = text if len(text) <= _TEXT else text[:_TEXT] + ".."
    return f":{short}" if is_atom else '"' + short.replace('"', '\\"') + '"'
