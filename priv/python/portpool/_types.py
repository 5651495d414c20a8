"""Values that Python has no type for, and the names that pickles may use."""

from __future__ import annotations

import copyreg

TYPE_CHECKING = False  # importing typing would take a fifth of the time that a worker has to boot
if TYPE_CHECKING:
    from typing import Any, TypeVar

    T = TypeVar("T")


def itself(value: T, memo: object = None) -> T:
    """Return the value: the copy, and the deep copy, of an immutable value."""
    return value


class Atom(str):
    """An atom, equal to its text, with the same hash. It is pickled as its text, which loads without this package."""

    __slots__ = ()
    __module__ = "portpool"
    __copy__ = __deepcopy__ = itself

    def __repr__(self) -> str:
        return f"Atom({str.__repr__(self)})"

    def __reduce_ex__(self, protocol: Any, /) -> Any:
        return (str, (str.__str__(self),)) if type(self) is Atom else super().__reduce_ex__(protocol)


# Kinds of opaque terms by the tags of the external term format.
_OPAQUE_KINDS: dict[int, str] = {
    77: "bitstring",
    88: "pid",
    103: "pid",
    89: "port",
    102: "port",
    120: "port",
    90: "reference",
    101: "reference",
    114: "reference",
    112: "fun",
    113: "fun",
}


class Opaque:
    """A term that Python can only hold and send back. ``etf`` is its external term format, as which it is pickled."""

    __slots__ = ("etf",)
    __module__ = "portpool"
    __copy__ = __deepcopy__ = itself

    etf: bytes

    def __init__(self, etf: bytes) -> None:
        self.etf = etf

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Opaque) and self.etf == other.etf

    def __hash__(self) -> int:
        return hash(self.etf)

    def __repr__(self) -> str:
        kind = _OPAQUE_KINDS.get(self.etf[0], "term") if self.etf else "nothing"
        return f"<portpool.Opaque {kind}>"

    def __reduce__(self) -> Any:
        return bytes, (self.etf,)


class ImproperList:
    """The list ``[item, .. | tail]``: at least one item, and a tail that is not a list. It is pickled as ``(items, tail)``."""

    __slots__ = ("items", "tail")
    __module__ = "portpool"
    __hash__ = None  # type: ignore[assignment]

    items: list[Any]
    tail: Any

    def __init__(self, items: list[Any], tail: Any) -> None:
        if not items or isinstance(tail, list):
            raise ValueError("an improper list has at least one item, and a tail that is not a list")
        self.items = items
        self.tail = tail

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ImproperList) and self.items == other.items and self.tail == other.tail

    def __repr__(self) -> str:
        return f"ImproperList({self.items!r}, {self.tail!r})"

    def __reduce__(self) -> Any:
        return tuple, ((self.items, self.tail),)

    def __copy__(self) -> ImproperList:
        return type(self)(list(self.items), self.tail)

    def __deepcopy__(self, memo: dict[int, Any]) -> ImproperList:
        from copy import deepcopy

        made = memo[id(self)] = type(self).__new__(type(self))
        made.items, made.tail = deepcopy(self.items, memo), deepcopy(self.tail, memo)
        return made


def _plain(value: T) -> T:
    """Return the value. Reducers have it called with the plain value that replaces another one."""
    return value


_plain.__module__ = "portpool"

# What pickles may name of this package, with their codes: the twin of src/codec/global.rs, the same order. A code loads
# eight times faster than a name. What a name stands for is looked up, and imported, when its code is loaded first.
FIRST_CODE = 0x70700000
_NAMES = ("Atom", "Opaque", "ImproperList", "_plain", "Date", "Time", "NaiveDateTime", "DateTime", "_tensor", "_struct", "_dict", "_import")
CODES: dict[str, int] = {name: FIRST_CODE + number for number, name in enumerate(_NAMES)}

# For reading alone. In `_extension_registry` as well, they would be in all pickles that this process writes, also those of the
# user, which others are to read.
copyreg._inverted_registry.update({code: ("portpool", name) for name, code in CODES.items()})  # type: ignore[attr-defined]
