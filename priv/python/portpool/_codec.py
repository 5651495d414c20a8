"""Values to pickles and back; the server turns the pickles into terms (docs/worker_protocol.md 3 and 4)."""

from __future__ import annotations

import sys

# The C part of pickle alone: what Python adds to it imports re and more.
from _pickle import PickleBuffer, Pickler, loads
from _pickle import dumps as _dumps

from portpool._encoding import SCALARS, Unencodable, encoders
from portpool._types import CODES, Atom, ImproperList, Opaque, _plain

__all__ = ["Unencodable", "admit", "dumps", "loads", "register"]

TYPE_CHECKING = False  # see _types.py
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from portpool._encoding import Reducer

# What has nothing in it that could be named.
_PLAINEST = frozenset({type(None), bool, int, float})


def dumps(value: Any) -> list[Any]:
    """Pickle a value in bytes-like chunks; large bytes are chunks of their own, without a copy.

    Raises Unencodable, with the path of the first value that cannot be represented as a term.
    """
    if value.__class__ in _PLAINEST:
        return [_dumps(value, 5)]
    limit = _recursion_limit()
    if limit > _MOST_RECURSION:
        lower_recursion_limit()
    try:
        # A fresh memo also drops a large one.
        _pickler.memo = _seed.memo
        preamble = _preamble
        _dump(value)
        if len(_chunks) == 1:
            return [preamble, _chunks[0]]
        # Large buffers come as they are, and have no length.
        return [preamble, *(chunk.raw() if chunk.__class__ is PickleBuffer else chunk for chunk in _chunks)]
    except MemoryError:
        raise
    except BaseException as error:  # code of the user, which may raise anything
        from portpool import _refusals

        raise _refusals.explain(value, error, TermPickler.dispatch_table) from None
    finally:
        _chunks.clear()
        if limit > _MOST_RECURSION:
            sys.setrecursionlimit(limit)


# Before Python 3.12 a recursion of C code is bounded by this alone. A user who lifts it for code of theirs must not make a deep result
# overflow the stack.
_MOST_RECURSION = 1000 if sys.version_info < (3, 12) else sys.maxsize
_recursion_limit = sys.getrecursionlimit


def lower_recursion_limit() -> None:
    """Lower the recursion limit to what C code can bear; the caller restores it."""
    if _recursion_limit() > _MOST_RECURSION:
        try:
            sys.setrecursionlimit(_MOST_RECURSION)
        except RecursionError:
            pass  # This is called from code that is deeper than that.


class _Chunks(list):  # type: ignore[type-arg]
    """A file with the methods that a pickler needs."""

    __slots__ = ()
    write = list.append


# Types that the pickler writes as they are, whatever is said about them.
NEVER_ASKED = SCALARS | {tuple, list, dict, set, frozenset, type, type(lambda: None), PickleBuffer}


def register(cls: type[Any], encode: Callable[[Any], Any]) -> None:
    """Register an encoder for a class, from the next value on."""
    encoders[cls] = encode
    TermPickler.dispatch_table.clear()


class _Reducers(dict):  # type: ignore[type-arg]
    """The reducers by type. The C pickler looks types up here, and asks once for each new type."""

    __slots__ = ()

    def __missing__(self, cls: type[Any]) -> Reducer:
        from portpool import _reducers

        reducer = self[cls] = _reducers.find_reducer(cls)
        return reducer


class TermPickler(Pickler):
    """A pickler that writes values that are not plain as calls of the names in CODES."""

    dispatch_table = _Reducers()


# A pickler that has what it names in its memo need not look each of them up, which takes it more than a microsecond. The
# reader's memo has them because the preamble comes first. One pickler serves all calls: making one takes as long as a
# small value.
_admitted: list[Any] = []
_preamble = b""
_seed = Pickler(_Chunks(), 5)
_chunks = _Chunks()
_pickler = TermPickler(_chunks, 5)
_dump = _pickler.dump


def admit(*named: Any) -> None:
    """Make later pickles begin with these names: EXT4 code, MEMOIZE, POP puts each into the reader's memo."""
    global _preamble
    _admitted.extend(one for one in named if one not in _admitted)
    _preamble = b"".join(b"\x84" + CODES[one.__name__].to_bytes(4, "little") + b"\x940" for one in _admitted)
    _seed.memo = {id(one): (index, one) for index, one in enumerate(_admitted)}


admit(Atom, Opaque, ImproperList, _plain)
