"""Says which value of a result cannot be encoded, and where it is. Imported when the first one fails."""

from __future__ import annotations

from portpool._encoding import SCALARS, Unencodable
from portpool._reducers import refuse
from portpool._say import told, type_name
from portpool._show import show
from portpool._types import ImproperList, _plain

TYPE_CHECKING = False  # see _boot.py
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Optional

    from portpool._encoding import Reducer

    # A way down: the way so far, the kind of the next step, and where it leads.
    Path = Optional[tuple["Path", str, Any]]

# The server refuses what nests deeper (MAX_DEPTH in src/codec/document/walk.rs); every version of pickle gets so far.
_DEPTH = 400
_TOO_DEEP = f"the value nests deeper than {_DEPTH} levels"
# These may contain themselves: the pickler notices.
_CONTAINERS = frozenset({dict, list, tuple, set, frozenset})
# In place of a depth: all that is in the value has been looked at.
_DONE = -1
# Where a value is that was refused once and not again: an encoder may do different things.
_SOMEWHERE = "somewhere in the result"


def explain(value: Any, error: BaseException, reducers: dict[type[Any], Reducer]) -> Unencodable:
    """Turn an error of the pickler into the refusal of one value."""
    found = _search(value, reducers)
    if found is not None:
        return found
    if issubclass(type(error), RecursionError):
        return Unencodable(_TOO_DEEP, _SOMEWHERE)
    return Unencodable(_told(error), _SOMEWHERE, error.type_name if type(error) is Unencodable else None)


def _told(error: BaseException) -> str:
    if type(error) is Unencodable:
        return error.message
    return told(error)


def _search(root: Any, reducers: dict[type[Any], Reducer]) -> Unencodable | None:
    """Find the first value that cannot be encoded, in the pickler's order and without recursion."""
    todo: list[tuple[Any, Path, int]] = [(root, None, 0)]
    # Values that have been made on the way are kept, so that no other gets their id.
    seen: dict[int, Any] = {}
    # The values that hold the one at hand.
    around: set[int] = set()
    while todo:
        value, path, depth = todo.pop()
        if depth == _DONE:
            around.discard(id(value))
            continue
        cls = type(value)
        try:
            if depth > _DEPTH:
                raise Unencodable(_TOO_DEEP)
            if id(value) in around and cls not in _CONTAINERS:
                raise Unencodable("the value contains itself")
            if id(value) in seen or cls in SCALARS:
                continue
            seen[id(value)] = value
            parts = list(_parts(value, cls, path, reducers))
        except BaseException as error:  # code of the user, which may raise anything
            kind = error.type_name if type(error) is Unencodable else None
            return Unencodable(_told(error), _format(path), kind or type_name(cls))
        around.add(id(value))
        todo.append((value, None, _DONE))
        todo.extend((part, step, depth + 1) for part, step in reversed(parts))
    return None


def _parts(value: Any, cls: type[Any], path: Path, reducers: dict[type[Any], Reducer]) -> Iterable[tuple[Any, Path]]:
    """The parts of a value, each with its path."""
    if cls is dict:
        for key, part in value.items():
            yield key, (path, "key", key)
            yield part, (path, "key", key)
    elif cls in _CONTAINERS:
        for number, part in enumerate(value, 1):
            yield part, (path, "element", number)
    elif cls is type or cls is type(_parts):
        refuse(value)
    else:
        named, arguments = reducers[cls](value)
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
