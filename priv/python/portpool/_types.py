"""The values that Python has no type for, and the names under which pickles may ask for them."""

from __future__ import annotations

import copyreg

TYPE_CHECKING = False  # importing typing would take a fifth of the time that a worker has to boot
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    T = TypeVar("T")


def type_name(cls: type[Any]) -> str:
    """The name of a class as messages have it: what Python knows, whatever the class or its metaclass says."""
    module, qualified = _module_of(cls), _qualified_name_of(cls)
    return f"{module}.{qualified}" if type(module) is str and module != "builtins" else qualified


def short_name(cls: type[Any]) -> str:
    """The same without module and outer classes."""
    return _name_of(cls)


_name_of: Callable[[type[Any]], str] = type.__dict__["__name__"].__get__
_qualified_name_of: Callable[[type[Any]], str] = type.__dict__["__qualname__"].__get__
_module_of: Callable[[type[Any]], Any] = type.__dict__["__module__"].__get__


class Atom(str):
    """An atom; equal to its text, and hashed as it."""

    __slots__ = ()
    __module__ = "portpool"

    def __repr__(self) -> str:
        return f"Atom({str.__repr__(self)})"


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
    """A term that Python can only carry: ``etf`` holds its bytes in the external term format."""

    __slots__ = ("etf",)
    __module__ = "portpool"

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


class ImproperList:
    """The list ``[item, .. | tail]``: one item at least, and a tail that is no list."""

    __slots__ = ("items", "tail")
    __module__ = "portpool"
    __hash__ = None  # type: ignore[assignment]

    items: list[Any]
    tail: Any

    def __init__(self, items: list[Any], tail: Any) -> None:
        if not items or isinstance(tail, list):
            raise ValueError("an improper list has one item at least, and a tail that is no list")
        self.items = items
        self.tail = tail

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ImproperList) and self.items == other.items and self.tail == other.tail

    def __repr__(self) -> str:
        return f"ImproperList({self.items!r}, {self.tail!r})"


def _plain(value: T) -> T:
    """The identity: what a reducer has called in place of a value that is not plain."""
    return value


_plain.__module__ = "portpool"

# What pickles may name of this package, with their codes: the twin of src/codec/global.rs, the same order. A code loads
# eight times faster than a name. What a name stands for is looked up, and imported, when its code is loaded first.
FIRST_CODE = 0x70700000
_NAMES = ("Atom", "Opaque", "ImproperList", "_plain", "Date", "Time", "NaiveDateTime", "DateTime", "_tensor", "_struct", "_dict", "_import")
CODES: dict[str, int] = {name: FIRST_CODE + number for number, name in enumerate(_NAMES)}

for _name, _code in CODES.items():
    copyreg.add_extension("portpool", _name, _code)
