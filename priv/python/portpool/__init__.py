"""What a Python function sees of Portpool, the pool of Python workers for Elixir and Erlang.

Terms arrive as plain values wherever Python has one: integers, floats, ``True``, ``False``, ``None``, ``str``, lists,
tuples, dicts. For the rest there are classes:

* ``Atom``: an atom other than ``true``, ``false`` and ``nil``. It is a ``str``.
* ``Opaque``: a pid, reference, port, fun or bitstring. Python can only carry it, and send it back.
* ``ImproperList``: a list whose tail is no list.
* ``Date``, ``Time``, ``NaiveDateTime``, ``DateTime``: those of Elixir. They are a ``date``, ``time`` or ``datetime`` of
  Python and equal to it, and know their precision and their ``Zone``.
* ``Tensor``: ``%Portpool.Tensor{}`` where it cannot be an array of numpy, which it is else.

``encoder`` and ``decoder`` say what values of a user's own classes become, and structs of a user's own.

What a function returns goes the same way back; see docs/types.md. ``after_fork`` names a function that each worker
calls before it is ready. Standard library only.
"""

from __future__ import annotations

from portpool._hooks import after_fork
from portpool._types import Atom, ImproperList, Opaque, _plain

__all__ = ["Atom", "Date", "DateTime", "ImproperList", "NaiveDateTime", "Opaque", "Tensor", "Time", "Zone", "after_fork", "decoder", "encoder"]

TYPE_CHECKING = False  # see _types.py
if TYPE_CHECKING:
    from typing import Any

    from portpool._dates import Date, DateTime, NaiveDateTime, Time, Zone
    from portpool._extend import _dict, _import, _struct, decoder, encoder
    from portpool._tensors import Tensor, _tensor

# What is imported when it is asked for: most workers never see it, and each module costs them time to boot.
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
    globals()[name] = value  # The next one finds it there.
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_ELSEWHERE})
