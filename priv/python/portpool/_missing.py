"""Whether a name is missing, or an error occurred while looking for it. Imported when a name is not found."""

from __future__ import annotations

import opcode
import os
import sys
from _frozen_importlib_external import PathFinder

from portpool._library import NAMES
from portpool._say import text_of

TYPE_CHECKING = False  # see _boot.py
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any

# What a module or class may have to make its attributes when they are asked for.
_HOOKS = ("__getattr__", "__getattribute__")
_RAISE = opcode.opmap["RAISE_VARARGS"]


def is_module(error: ModuleNotFoundError, module: str) -> bool:
    """Return whether this module or a package around it is missing, instead of one that their code tried to import."""
    name = error.name
    if not isinstance(name, str) or not (module + ".").startswith(name + "."):
        return False
    trace = None if error.__traceback__ is None else error.__traceback__.tb_next
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith("<frozen importlib"):
        trace = trace.tb_next
    return trace is None


def locale_hint(module: str) -> str:
    """Return what to add where a name that is not ASCII may be missing because the locale says how file names are spelled."""
    encoding = sys.getfilesystemencoding()
    if module.isascii() or encoding == "utf-8":
        return ""
    return f" (this Python reads file names as {encoding}; with PYTHONUTF8=1 in `env`, it reads them as UTF-8)"


def package_hint(name: Any) -> str:
    """Return what to do about a missing module in a virtual environment; empty where there is nothing to say.

    The package may have another name than its module, and a module that is the user's own belongs to none.
    """
    top = name.partition(".")[0] if type(name) is str else ""
    if sys.prefix == sys.base_prefix or top in NAMES or not top or top in sys.modules or PathFinder.find_spec(top):
        return ""
    made = _configuration()
    if "portpool-file" in made:
        cure = f"add that to {made['portpool-file']} and run `mix portpool.venv`"
    elif "uv" in made:
        cure = f"install that with `uv pip install --python {sys.prefix}/bin/python PACKAGE`"
    else:
        cure = f"install that with `{sys.prefix}/bin/python -m pip install PACKAGE`"
    return f". Neither python_path nor the virtual environment {sys.prefix} has {top}. If it belongs to a package, {cure}"


def _configuration() -> dict[str, str]:
    """What the tool that has made this virtual environment has recorded."""
    try:
        with open(os.path.join(sys.prefix, "pyvenv.cfg"), encoding="utf-8", errors="replace") as file:
            lines = [line.partition("=") for line in file]
    except OSError:
        return {}
    return {name.strip().lower(): value.strip() for name, _, value in lines}


def is_plain(error: AttributeError, target: Any, name: str) -> bool:
    """Return whether `getattr(target, name)` failed because the attribute is missing, not by an error in the code behind it."""
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
    """Return whether it came from a `raise`, instead of from Python itself."""
    code = trace.tb_frame.f_code.co_code
    return trace.tb_lasti < len(code) and code[trace.tb_lasti] == _RAISE


def _has_no_other_cause(error: BaseException) -> bool:
    """Return whether the only cause is the hook's own way of finding out that it lacks the name."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return cause is None or issubclass(type(cause), (AttributeError, LookupError))


def _is_missing_from(error: AttributeError, target: Any, name: str) -> bool:
    """Return whether the hook asked a module, or its own object, for this very name."""
    if sys.version_info >= (3, 10):
        where = error.obj
        return error.name == name and (where is target or issubclass(type(where), type(sys)))
    text = str(error)
    return text.endswith(f" has no attribute {name!r}") and text.startswith(("module ", repr(type(target).__name__)))


def mismatch(target: Callable[..., Any], args: tuple[Any, ...], kwargs: Any) -> str:
    """Say what a function takes, if it does not take these arguments; empty if it does, or if that is not known."""
    import inspect

    try:
        signature = inspect.signature(target)
        shown = str(signature)
    except Exception:  # It has none, or what it says of itself cannot be used.
        return ""
    try:
        signature.bind(*args, **(kwargs or {}))
    except TypeError as error:
        return f"{shown} does not take these arguments: {text_of(error)}"
    return ""
