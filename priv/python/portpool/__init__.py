"""What a Python function sees of Portpool, the pool of Python workers for Elixir and Erlang.

Terms arrive as plain values wherever Python has one: integers, floats, ``True``, ``False``, ``None``, ``str``, lists,
tuples, dicts. For the rest there are three classes:

* ``Atom``: an atom other than ``true``, ``false`` and ``nil``. It is a ``str``.
* ``Opaque``: a pid, reference, port, fun or bitstring. Python can only carry it, and send it back.
* ``ImproperList``: a list whose tail is no list.

What a function returns goes the same way back; see docs/types.md. ``after_fork`` names a function that each worker
calls before it is ready. Standard library only.
"""

from portpool._hooks import after_fork
from portpool._types import Atom, ImproperList, Opaque, _plain

__all__ = ["Atom", "ImproperList", "Opaque", "after_fork"]
