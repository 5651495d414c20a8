"""Describes values and errors in messages without running their code: a user's `repr` may raise, or never end."""

from __future__ import annotations

TYPE_CHECKING = False  # see _boot.py
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


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
