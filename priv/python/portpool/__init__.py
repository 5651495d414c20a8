"""The Python side of Portpool, a pool of Python workers for Elixir and Erlang.

Arguments arrive as plain Python values where there is one: ``int``, ``float``, ``True``, ``False``, ``None``, ``str``,
``list``, ``tuple``, ``dict``. Other terms have a class here:

* ``Atom``: an atom other than ``true``, ``false`` and ``nil``. It is a ``str``.
* ``Opaque``: a pid, reference, port, fun or bitstring. Python can hold it and send it back.
* ``ImproperList``: a list whose tail is not a list.
* ``Date``, ``Time``, ``NaiveDateTime``, ``DateTime``: Elixir's dates and times. Each is a Python ``date``, ``time`` or
  ``datetime``, and equal to it. They also have a precision, and a ``DateTime`` has a ``Zone``.
* ``Tensor``: a ``%Portpool.Tensor{}`` that cannot be a numpy array.

Results are converted the same way back; see docs/types.md. To convert your own types, register an ``encoder`` for a
Python class and a ``decoder`` for an Elixir struct. ``after_fork`` registers a function that each worker calls before it
is ready.

``portpool.testing`` is for tests of your functions. This package uses only the standard library.
"""

from __future__ import annotations

from portpool._hooks import after_fork
from portpool._types import Atom, ImproperList, Opaque
from portpool._types import _plain as _plain

# That of Cargo.toml. The server looks for this line in an installed package: src/worker/installed.rs.
__version__ = "0.1.0"

__all__ = [
    "Atom",
    "Date",
    "DateTime",
    "ImproperList",
    "NaiveDateTime",
    "Opaque",
    "Tensor",
    "Time",
    "Zone",
    "after_fork",
    "decoder",
    "encoder",
]

TYPE_CHECKING = False  # see _types.py
if TYPE_CHECKING:
    from typing import Any

    from portpool._dates import Date, DateTime, NaiveDateTime, Time, Zone
    from portpool._extend import _dict as _dict
    from portpool._extend import _import as _import
    from portpool._extend import _struct as _struct
    from portpool._extend import decoder, encoder
    from portpool._tensors import Tensor
    from portpool._tensors import _tensor as _tensor

# Imported on first use: most workers never need these, and each module costs time at boot.
_ELSEWHERE = {
    "Date": "_dates",
    "DateTime": "_dates",
    "NaiveDateTime": "_dates",
    "Tensor": "_tensors",
    "Time": "_dates",
    "Zone": "_dates",
    "_dict": "_extend",
    "_import": "_extend",
    "_struct": "_extend",
    "_tensor": "_tensors",
    "decoder": "_extend",
    "encoder": "_extend",
}


def __getattr__(name: str) -> Any:
    if name not in _ELSEWHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(__import__("portpool." + _ELSEWHERE[name], fromlist=[name]), name)
    globals()[name] = value  # So that this function is not called again for it.
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_ELSEWHERE})
