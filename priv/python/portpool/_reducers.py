"""How values that are not plain become plain. Imported with the first such value. docs/types.md 2"""

from __future__ import annotations

import sys

from portpool import _library
from portpool._encoding import Unencodable, encoders
from portpool._say import told, type_name
from portpool._types import Atom, ImproperList, Opaque, _plain

TYPE_CHECKING = False  # see _boot.py
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType
    from typing import Any

    from portpool._encoding import Reduced, Reducer


def find_reducer(cls: type[Any]) -> Reducer:
    """Find the reducer that makes values of a type plain."""
    for base in _mro_of(cls):
        if base in encoders:
            return _reduce_with(encoders[base])
    for special, reducer in _candidates():
        if special is not None and issubclass(cls, special):
            return reducer
    for special, rules in _elsewhere():
        if special is not None and issubclass(cls, special):
            return __import__("portpool." + rules, fromlist=[rules]).find_reducer(cls)  # type: ignore[no-any-return]
    if any(type(vars(base).get("__dataclass_fields__")) is dict for base in _mro_of(cls)):
        return _reduce_dataclass
    for base, make in _PLAIN_BASES:
        if issubclass(cls, base):
            return reduce_by(make)
    return refuse


# What Python knows, whatever a metaclass says.
_mro_of: Callable[[type[Any]], tuple[type[Any], ...]] = type.__dict__["__mro__"].__get__


def _candidates() -> Iterator[tuple[type[Any] | None, Reducer]]:
    """Types with rules of their own. A module that nobody has imported has no values here, so this imports none."""
    yield Atom, _reduce_atom
    yield Opaque, _reduce_opaque
    yield ImproperList, _reduce_improper_list
    yield memoryview, reduce_by(bytes)
    yield range, reduce_by(list)
    yield _class("enum", "Enum"), _reduce_enum
    yield _class("uuid", "UUID"), reduce_by(str)
    yield _class("decimal", "Decimal"), reduce_by(str)


def _elsewhere() -> Iterator[tuple[type[Any] | None, str]]:
    """Types whose rules are in a module that is imported with the first value."""
    for module in ("_datetime", "datetime"):
        yield _class(module, "date"), "_dates"
        yield _class(module, "time"), "_dates"
    yield _class_in(numpy(), "ndarray"), "_tensors"
    yield _class_in(numpy(), "generic"), "_tensors"
    yield _class_in(sys.modules.get("portpool._tensors"), "Tensor"), "_tensors"


def numpy() -> ModuleType | None:
    """numpy, if it has been imported and is not a user's module of that name."""
    module = sys.modules.get("numpy")
    attribute = getattr(_class_in(module, "ndarray"), "__array_struct__", None)
    return module if type(attribute) is _Getset else None


# What classes that are written in C have for attributes.
_Getset = type(type.__dict__["__name__"])


def _class(module: str, name: str) -> type[Any] | None:
    """A class of the standard library, if its real module has been imported, not a user's module of that name."""
    return _class_in(_library.genuine(module), name)


def _class_in(module: ModuleType | None, name: str) -> type[Any] | None:
    found = getattr(module, "__dict__", {}).get(name)
    return found if issubclass(type(found), type) else None


def _memory(value: Any) -> bytes:
    return bytes(memoryview(value))


# What subclasses of plain types become. The base class's own methods: a subclass may have overridden them.
_PLAIN_BASES: list[tuple[type[Any], Callable[[Any], Any]]] = [
    (str, str.__str__),
    (int, int.__int__),
    (float, float.__float__),
    (bytes, _memory),
    (bytearray, _memory),
    (tuple, tuple),
    (dict, dict),
    (list, list.copy),
    (set, list),
    (frozenset, list),
]


def _reduce_with(encode: Callable[[Any], Any]) -> Reducer:
    def reduce(value: Any) -> Reduced:
        try:
            encoded = encode(value)
        except RecursionError:
            raise  # The pickler is as deep as it can be.
        except Exception as error:
            raise Unencodable(f"its encoder raised {told(error)}", type_name=type_name(type(value))) from error
        if encoded is value:
            raise Unencodable("its encoder returned the value itself, where it must return another")
        return _plain, (encoded,)

    return reduce


def reduce_by(make: Callable[[Any], Any]) -> Reducer:
    """Return a reducer that replaces values with the result of a function."""
    return lambda value: (_plain, (make(value),))


def _reduce_atom(value: Any) -> Reduced:
    return Atom, (str.__str__(value),)


def _reduce_opaque(value: Any) -> Reduced:
    return Opaque, (bytes(value.etf),)


def _reduce_improper_list(value: Any) -> Reduced:
    return ImproperList, (list(value.items), value.tail)


def _reduce_enum(value: Any) -> Reduced:
    return _plain, (value.value,)


def _reduce_dataclass(value: Any) -> Reduced:
    fields = type(value).__dataclass_fields__.values()
    # The others are class variables and what is only passed to `__init__`.
    return _plain, ({field.name: getattr(value, field.name) for field in fields if field._field_type.name == "_FIELD"},)


def refuse(value: Any) -> Reduced:
    raise Unencodable(_no_form(type(value)), type_name=type_name(type(value)))


def _no_form(cls: type[Any]) -> str:
    return (
        f"a value of type {type_name(cls)} cannot be represented as a term: return numbers, str, bytes, lists, tuples and dicts "
        f"instead, or say what it becomes with portpool.encoder"
    )
