"""Returns atoms, known to the BEAM or not."""

from portpool import Atom


def atom(name):
    return Atom(name)


def deep(name):
    return {"list": [1, 2.5, 2**70, ("a", [Atom("ok"), {"key": Atom(name)}])]}


def many(count, prefix):
    return [Atom(f"{prefix}_{number}") for number in range(count)]
