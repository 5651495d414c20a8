"""Says what values are in Python."""


def kind(value):
    return type(value).__name__


def kinds(value):
    """The kind of a value, and of all that is in it."""
    if isinstance(value, dict):
        return [[kinds(key), kinds(item)] for key, item in value.items()]
    if isinstance(value, (list, tuple)):
        return [kinds(item) for item in value]
    return kind(value)


def kinds_of(*args, **kwargs):
    return [kinds(args), kinds(kwargs)]


def hexadecimal(value):
    return value.hex()


def nothing():
    return None


def is_none(value):
    return value is None


def data(size):
    return bytes(range(256)) * (size // 256)


def shown(value):
    return repr(value)
