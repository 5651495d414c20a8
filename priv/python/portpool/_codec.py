"""Values to pickles and back; the server turns the pickles into terms (docs/worker_protocol.md 3 and 4)."""

from __future__ import annotations

import sys

# The C part of pickle alone: what Python adds to it imports re and more.
from _pickle import PickleBuffer, Pickler, loads
from _pickle import dumps as _dumps

from portpool import _library
from portpool._say import show, told, type_name
from portpool._types import CODES, Atom, ImproperList, Opaque, _plain

__all__ = ["Unencodable", "admit", "dumps", "loads", "register"]

TYPE_CHECKING = False  # see _types.py
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import ModuleType
    from typing import Any, Optional

    # What a reducer makes of a value: something that CODES has, and the arguments to call it with.
    Reduced = tuple[Any, tuple[Any, ...]]
    Reducer = Callable[[Any], Reduced]
    # A way down: the way so far, the kind of the next step, and where it leads.
    Path = Optional[tuple["Path", str, Any]]

# What has nothing in it that could be named.
_PLAINEST = frozenset({type(None), bool, int, float})
# What the pickler writes without asking anyone.
_SCALARS = frozenset({type(None), bool, int, float, str, bytes, bytearray})
# The server refuses what nests deeper (MAX_DEPTH in src/codec/document/walk.rs); every version of pickle gets so far.
_DEPTH = 400
_TOO_DEEP = f"the value nests deeper than {_DEPTH} levels"


class Unencodable(Exception):
    """A value that the other side cannot represent: where it is, and of which type."""

    # Whether it was to come in and not to go out.
    is_argument = False

    def __init__(self, message: str, path: str = "", type_name: str | None = None) -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.message = message
        self.path = path
        self.type_name = type_name


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
        raise _explain(value, error) from None
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


# The encoder of each class that has one.
_encoders: dict[type[Any], Callable[[Any], Any]] = {}
# Types that the pickler writes as they are, whatever is said about them.
NEVER_ASKED = _SCALARS | {tuple, list, dict, set, frozenset, type, type(lambda: None), PickleBuffer}


def register(cls: type[Any], encode: Callable[[Any], Any]) -> None:
    """Register an encoder for a class, from the next value on."""
    _encoders[cls] = encode
    _TermPickler.dispatch_table.clear()


class _Reducers(dict):  # type: ignore[type-arg]
    """The reducers by type. The C pickler looks types up here, and asks once for each new type."""

    __slots__ = ()

    def __missing__(self, cls: type[Any]) -> Reducer:
        reducer = self[cls] = _find_reducer(cls)
        return reducer


class _TermPickler(Pickler):
    """A pickler that writes values that are not plain as calls of the names in CODES."""

    dispatch_table = _Reducers()


# A pickler that has what it names in its memo need not look each of them up, which takes it more than a microsecond. The
# reader's memo has them because the preamble comes first. One pickler serves all calls: making one takes as long as a
# small value.
_admitted: list[Any] = []
_preamble = b""
_seed = Pickler(_Chunks(), 5)
_chunks = _Chunks()
_pickler = _TermPickler(_chunks, 5)
_dump = _pickler.dump


def admit(*named: Any) -> None:
    """Make later pickles begin with these names: EXT4 code, MEMOIZE, POP puts each into the reader's memo."""
    global _preamble
    _admitted.extend(one for one in named if one not in _admitted)
    _preamble = b"".join(b"\x84" + CODES[one.__name__].to_bytes(4, "little") + b"\x940" for one in _admitted)
    _seed.memo = {id(one): (index, one) for index, one in enumerate(_admitted)}


admit(Atom, Opaque, ImproperList, _plain)


def _find_reducer(cls: type[Any]) -> Reducer:
    """Find the reducer that makes values of a type plain."""
    for base in _mro_of(cls):
        if base in _encoders:
            return _reduce_with(_encoders[base])
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
    return _refuse


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
            raise Unencodable(f"its encoder raised {told(error)}") from error
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


def _refuse(value: Any) -> Reduced:
    raise Unencodable(_no_form(type(value)), type_name=type_name(type(value)))


def _no_form(cls: type[Any]) -> str:
    return (
        f"a value of type {type_name(cls)} cannot be represented as a term: return numbers, str, bytes, lists, tuples and dicts "
        f"instead, or say what it becomes with portpool.encoder"
    )


def _explain(value: Any, error: BaseException) -> Unencodable:
    """Turn an error of the pickler into the refusal of one value."""
    found = _search(value)
    if found is not None:
        return found
    if issubclass(type(error), RecursionError):
        return Unencodable(_TOO_DEEP)
    return error if type(error) is Unencodable else Unencodable(told(error))


def _search(root: Any) -> Unencodable | None:
    """Find the first value that cannot be encoded, in the pickler's order and without recursion."""
    todo: list[tuple[Any, Path, int]] = [(root, None, 0)]
    # Values that have been made on the way are kept, so that no other gets their id.
    seen: dict[int, Any] = {}
    while todo:
        value, path, depth = todo.pop()
        cls = type(value)
        try:
            if depth > _DEPTH:
                raise Unencodable(_TOO_DEEP)
            if id(value) in seen or cls in _SCALARS:
                continue
            seen[id(value)] = value
            parts = list(_parts(value, cls, path))
        except BaseException as error:  # code of the user, which may raise anything
            refusal = error if type(error) is Unencodable else Unencodable(told(error))
            return Unencodable(refusal.message, _format(path), refusal.type_name or type_name(cls))
        todo.extend((part, step, depth + 1) for part, step in reversed(parts))
    return None


def _parts(value: Any, cls: type[Any], path: Path) -> Iterable[tuple[Any, Path]]:
    """The parts of a value, each with its path."""
    if cls is dict:
        for key, part in value.items():
            yield key, (path, "key", key)
            yield part, (path, "key", key)
    elif cls in (list, tuple, set, frozenset):
        for number, part in enumerate(value, 1):
            yield part, (path, "element", number)
    elif cls is type or cls is type(_parts):
        _refuse(value)
    else:
        named, arguments = _TermPickler.dispatch_table[cls](value)
        if named is ImproperList:
            yield arguments[0], path
            yield arguments[1], (path, "tail", None)
        elif named is _plain:
            yield arguments[0], path


_STEPS = 16


def _format(path: Path) -> str:
    """Format the steps of a path; a very long one loses its middle."""
    steps: list[str] = []
    while path is not None:
        path, kind, where = path
        steps.append(kind if where is None else f"{kind} {show(where)}")
    steps.reverse()
    if len(steps) > 2 * _STEPS:
        steps[_STEPS:-_STEPS] = [f".. {len(steps) - 2 * _STEPS} more steps .."]
    return ", ".join(steps)
