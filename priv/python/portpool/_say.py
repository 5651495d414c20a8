"""Describes values and errors in messages without running their code: a user's `repr` may raise, or never end."""

from __future__ import annotations

TYPE_CHECKING = False  # see _boot.py
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_TEXT = 40
_ELEMENTS = 4
_DEPTH = 3


def type_name(cls: type[Any]) -> str:
    """Return the name of a class for messages: what Python knows, whatever the class or its metaclass says."""
    module, qualified = _module_of(cls), _qualified_name_of(cls)
    return f"{module}.{qualified}" if type(module) is str and module != "builtins" else qualified


def short_name(cls: type[Any]) -> str:
    """Return the name of a class without module and outer classes."""
    return _name_of(cls)


_name_of: Callable[[type[Any]], str] = type.__dict__["__name__"].__get__
_qualified_name_of: Callable[[type[Any]], str] = type.__dict__["__qualname__"].__get__
_module_of: Callable[[type[Any]], Any] = type.__dict__["__module__"].__get__


def text_of(error: BaseException) -> str:
    """Return the text of an error, whose own code may do anything."""
    try:
        return str.__str__(str(error))
    except BaseException:
        return f"<{short_name(type(error))} that cannot be printed>"


def told(error: BaseException) -> str:
    """Return the class of an error and its text, as the last line of a traceback has them."""
    text = text_of(error)
    return f"{short_name(type(error))}: {text}" if text else short_name(type(error))


def show(value: Any, depth: int = 0) -> str:
    """Show a key of a dict, shortened; if it is not plain, only its type."""
    cls = type(value)
    if issubclass(cls, str):
        return _quoted(str.__str__(value), f"{_module_of(cls)}.{_name_of(cls)}" == "portpool.Atom")
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
