"""Values whose own methods raise or lie, and values and errors that nest deeper than C code can bear."""

import dataclasses
import enum
import sys

import portpool


class Raises:
    """Whatever is asked of it."""

    def __getattribute__(self, name):
        raise ZeroDivisionError(name)

    def __repr__(self):
        raise SystemExit(3)

    def __eq__(self, other):
        raise KeyboardInterrupt

    def __hash__(self):
        return 1

    def __len__(self):
        return -1

    def __iter__(self):
        raise ZeroDivisionError

    @property
    def __class__(self):
        raise ZeroDivisionError


class Meta(type):
    """Of a class that raises whatever is asked of it."""

    def __getattribute__(cls, name):
        raise ZeroDivisionError(name)

    def __hash__(cls):
        raise ZeroDivisionError("hash")

    def __eq__(cls, other):
        raise ZeroDivisionError("eq")


class OfMeta(metaclass=Meta):
    pass


class Dict(dict):
    def keys(self):
        raise KeyboardInterrupt

    __iter__ = items = keys


class Tuple(tuple):
    def __iter__(self):
        raise SystemExit(3)


class Text(str):
    def __len__(self):
        return -5

    def __getitem__(self, index):
        raise ZeroDivisionError

    __str__ = __repr__ = __len__


@dataclasses.dataclass
class Data:
    field: int = 1

    def __getattribute__(self, name):
        if name == "field":
            raise ZeroDivisionError("field")
        return object.__getattribute__(self, name)


class Unprintable(Exception):
    def __str__(self):
        raise SystemExit(3)


class Encoded:
    pass


@portpool.encoder(Encoded)
def encode(value):
    raise Unprintable


class Choice(enum.Enum):
    ONE = object()


class Holds:
    pass


@portpool.encoder(Holds)
def encode_holds(value):
    return [value]


class Fickle:
    """Whose encoder fails the first time."""

    failed = False


@portpool.encoder(Fickle)
def encode_fickle(value):
    if not Fickle.failed:
        Fickle.failed = True
        raise ValueError("once")
    return 1


def holds_itself():
    node = Node(None)
    node.child = {"in": node}
    return [node]


Named = type("x", (), {"__module__": 5})
Named.__qualname__ = "N\udc80" + "n" * 300

VALUES = {
    "key of many digits": lambda: {10**5000: object()},
    "key in a tuple": lambda: {"a": {(1, 10**5000, Raises()): object()}},
    "value": lambda: [Raises()],
    "key": lambda: {Raises(): 1},
    "value of a key": lambda: {10**5000: {Text("k"): Raises()}},
    "class": lambda: [type.__call__(OfMeta)],
    "class itself": lambda: [OfMeta],
    "dict": lambda: [Dict(a=1)],
    "tuple": lambda: [Tuple((1,))],
    "dataclass": lambda: [Data()],
    "encoder": lambda: [Encoded()],
    "enum": lambda: [Choice.ONE],
    "name": lambda: [Named()],
    "surrogate": lambda: {"\udc80": object()},
    "surrogate in the server": lambda: ["\udc80"],
    "dataclass that holds itself": holds_itself,
    "encoder that returns the value": lambda: [Holds()],
    "encoder that fails once": lambda: [Fickle()],
    "number": lambda: {10**5000: float("nan")},
    "frozen set": lambda: {frozenset([1]): object()},
}


def names():
    return list(VALUES)


def value(name):
    return VALUES[name]()


class Unnamed(type):
    """Of a class that does not say what it is called."""

    def __getattribute__(cls, name):
        if name in ("__name__", "__qualname__", "__module__"):
            raise ZeroDivisionError(name)
        return type.__getattribute__(cls, name)


class Hostile(Exception, metaclass=Unnamed):
    @property
    def __cause__(self):
        raise ZeroDivisionError

    @property
    def __class__(self):
        raise ZeroDivisionError

    __notes__ = __cause__


def raises_hostile():
    raise Hostile("told")


class Nested:
    def __init__(self, depth):
        self.depth = depth


@portpool.encoder(Nested)
def encode_nested(value):
    return [Nested(value.depth - 1)] if value.depth else 1


@dataclasses.dataclass
class Node:
    child: object


def deep(kind, depth):
    """A result of this many levels, with practically no limit of recursion."""
    sys.setrecursionlimit(10**6)
    if kind == "encoder":
        return Nested(depth)
    made = 1
    for _ in range(depth):
        made = {"list": [made], "tuple": (made,), "dict": {1: made}, "dataclass": Node(made)}[kind]
    return made


def limit():
    return sys.getrecursionlimit()


def causes(depth):
    sys.setrecursionlimit(10**6)
    error = ValueError("first")
    for _ in range(depth):
        later = ValueError("later")
        later.__cause__ = error
        error = later
    raise error


def deep_argument(depth):
    raise ValueError(deep("list", depth))


class Exits:
    """Ends the process that asks for anything."""

    def __str__(self):
        raise SystemExit(3)

    __repr__ = __dir__ = get_source = __str__


def raises_beside(what):
    """An error where code that describes it gets into trouble."""
    _TROUBLE[what]()
    raise ValueError("told")


def _note():
    error = ValueError("told")
    error.__notes__ = Exits()
    raise error


def _syntax():
    raise SyntaxError(Exits())


def _missing_from():
    return Exits().told


def _loader():
    code = compile("def fails(): raise ValueError('told')", "nowhere.py", "exec")
    names = {"__name__": "nowhere", "__loader__": Exits()}
    exec(code, names)
    names["fails"]()


def _no_modules():
    for name in list(sys.modules):
        if name.partition(".")[0] in ("portpool", "traceback", "linecache", "tokenize"):
            del sys.modules[name]


def _no_finders():
    for found in (sys.meta_path, sys.path_hooks, sys.path):
        found.clear()
    sys.path_importer_cache.clear()


def _no_builtins():
    import builtins

    builtins.len = builtins.isinstance = lambda *arguments: 1 / 0


_TROUBLE = {
    "note": _note,
    "syntax": _syntax,
    "missing": _missing_from,
    "loader": _loader,
    "modules": _no_modules,
    "finders": _no_finders,
    "builtins": _no_builtins,
}


def troubles():
    return list(_TROUBLE)
