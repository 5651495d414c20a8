"""What users say about types of their own. Imported when they say the first thing, or when the first struct arrives."""

from __future__ import annotations

import sys

from portpool import _codec
from portpool._codec import Unencodable

TYPE_CHECKING = False  # see _types.py
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Optional, TypeVar

    F = TypeVar("F", bound=Callable[[Any], Any])

# The decoder of each struct that has one.
_decoders: dict[str, Callable[[dict[str, Any]], Any]] = {}

# These types have forms that cannot be changed, because an echo of a term must be that term.
_OURS = ("Atom", "Opaque", "ImproperList", "Date", "Time", "NaiveDateTime", "DateTime", "Tensor")
_OWN_STRUCTS = {
    "Elixir.Date": "Date",
    "Elixir.Time": "Time",
    "Elixir.NaiveDateTime": "NaiveDateTime",
    "Elixir.DateTime": "DateTime",
    "Elixir.Portpool.Tensor": "Tensor",
    "Elixir.Portpool.Bytes": "bytes",
}


def encoder(cls: type[Any], encode: Optional[F] = None) -> Any:
    """Says what values of a class become on their way to Elixir, at any depth of a result: ``encode(value)``.

    A decorator, or called with the function::

        @portpool.encoder(Money)
        def encode_money(money):
            return {"amount": money.amount, "currency": Atom(money.currency)}

    What is returned may be any value that has a form, also one with other values that have encoders. An encoder is for
    subclasses too; the nearest one counts, and it counts before the rules of docs/types.md 2. The newest function for a class
    replaces the one before.

    Raises TypeError for plain types (``dict``, ``str``, ``int`` ..), which are never asked about; their subclasses are.
    """
    if encode is None:
        return lambda function: encoder(cls, function)
    if not isinstance(cls, type):
        raise TypeError(f"an encoder is for a class, not for {cls!r}")
    if cls is object or cls in _codec.NEVER_ASKED:
        raise TypeError(f"no encoder for {cls.__name__}: plain values are what others become; give its subclasses one")
    if cls.__module__ == "portpool" and cls.__name__ in _OURS:
        raise TypeError(f"no encoder for portpool.{cls.__name__}: it becomes the term that it came from")
    _codec.register(cls, encode)
    return encode


def decoder(name: str, decode: Optional[F] = None) -> Any:
    """Says what structs of a name become in arguments, at any depth: ``decode(fields)``.

    A decorator, or called with the function. ``fields`` is a dict of the fields without ``__struct__``, a new one for each struct; its
    keys are ``Atom`` and so equal to their texts::

        @portpool.decoder("Elixir.MyApp.Money")
        def decode_money(fields):
            return Money(**fields)

    The struct may also be a key of a map, if what is returned can be hashed. The newest function for a name replaces the one before.
    A decoder is there for calls of the module that registers it, or imports what does, from the first one on.

    Raises ValueError for the structs that have a type of their own: dates and times, tensors, ``Portpool.Bytes``.
    """
    if decode is None:
        return lambda function: decoder(name, function)
    if not isinstance(name, str):
        raise TypeError(f'a decoder is for the name of a struct, "Elixir.Decimal", not for {name!r}')
    if name in _OWN_STRUCTS:
        raise ValueError(f"no decoder for {name}: it is a {_OWN_STRUCTS[name]}")
    _decoders[str(name)] = decode
    return decode


class Unhashable(Unencodable):
    """An argument has no form in Python: a struct that is a key, and nothing that can be hashed."""

    is_argument = True


def _struct(fields: dict[Any, Any]) -> Any:
    """What a struct becomes: its dict, unless there is a decoder."""
    decode = _decoders.get(fields["__struct__"])
    if decode is None:
        return fields
    del fields["__struct__"]
    return decode(fields)


def _dict(pairs: tuple[Any, ...]) -> dict[Any, Any]:
    """A dict whose keys the server could not look through: of keys and values in turn."""
    made: dict[Any, Any] = {}
    for key, value in zip(pairs[::2], pairs[1::2]):
        try:
            known = key in made
        except TypeError as error:
            raise Unhashable(f"a key that is or contains a struct must be hashable, by a portpool.decoder: {error}") from error
        if known:
            raise Unhashable(f"key collision: {key!r:.80} is equal to another key of the same map")
        made[key] = value
    return made


def _import(module: str, function: str) -> None:
    """Imports the module that is called, ahead of the first struct: it may have the decoder."""
    if module not in sys.modules:
        from portpool import _worker

        _worker.import_module(module, function)


for _function in (_struct, _dict, _import):
    _function.__module__ = "portpool"
