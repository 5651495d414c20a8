"""Whether a name is plainly not there, or looking for it has gone wrong. Imported when one is not found."""

from __future__ import annotations

import opcode
import sys

TYPE_CHECKING = False  # see _boot.py
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

# What a module or class may have to make its attributes when they are asked for.
_HOOKS = ("__getattr__", "__getattribute__")
_RAISE = opcode.opmap["RAISE_VARARGS"]


def is_module(error: ModuleNotFoundError, module: str) -> bool:
    """Whether it is this module that is not there, or a package around it, and not one that code of theirs wanted to import."""
    name = error.name
    if not isinstance(name, str) or not (module + ".").startswith(name + "."):
        return False
    trace = None if error.__traceback__ is None else error.__traceback__.tb_next
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith("<frozen importlib"):
        trace = trace.tb_next
    return trace is None


def is_plain(error: AttributeError, target: Any, name: str) -> bool:
    """Whether `getattr(target, name)` says that there is no such attribute, and not that code which looks for it has an error."""
    trace = None if error.__traceback__ is None else error.__traceback__.tb_next
    if trace is None:
        return True  # Python itself has looked.
    asked, last = trace, _innermost(trace)
    if _raises(last):
        return last is asked and asked.tb_frame.f_code.co_name in _HOOKS and _has_no_other_cause(error)
    return _is_missing_from(error, target, name)


def _innermost(trace: TracebackType) -> TracebackType:
    while trace.tb_next is not None:
        trace = trace.tb_next
    return trace


def _raises(trace: TracebackType) -> bool:
    """Whether it was a `raise`, and not something that Python could not do."""
    code = trace.tb_frame.f_code.co_code
    return trace.tb_lasti < len(code) and code[trace.tb_lasti] == _RAISE


def _has_no_other_cause(error: BaseException) -> bool:
    """Whether the hook has at most found out in its own way that it does not have the name."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return cause is None or issubclass(type(cause), (AttributeError, LookupError))


def _is_missing_from(error: AttributeError, target: Any, name: str) -> bool:
    """Whether the hook has asked a module, or what it belongs to, for this very name."""
    if sys.version_info >= (3, 10):
        where = error.obj
        return error.name == name and (where is target or issubclass(type(where), type(sys)))
    text = str(error)
    return text.endswith(f" has no attribute {name!r}") and text.startswith(("module ", repr(type(target).__name__)))
