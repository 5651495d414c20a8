"""Encoders and decoders for the user's own types. Imported on first use, or when the first struct arrives."""

from __future__ import annotations

import sys

from portpool import _codec
from portpool._encoding import Unencodable
from portpool._say import short_name, text_of
from portpool._show import show

TYPE_CHECKING = False  # see _types.py
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar, overload

    V = TypeVar("V")
    R = TypeVar("R")
else:

    def overload(function):
        """Like `typing.overload`; importing `typing` takes too long."""
        return function

# Decoders by the name of their struct.
_decoders: dict[str, Callable[[dict[str, Any]], Any]] = {}

# These types have a fixed form, so that a term that is echoed comes back identical.
_OURS = ("Atom", "Opaque", "ImproperList", "Date", "Time", "NaiveDateTime", "DateTime", "Tensor")
_OWN_STRUCTS = {
    "Elixir.Date": "Date",
    "Elixir.Time": "Time",
    "Elixir.NaiveDateTime": "NaiveDateTime",
    "Elixir.DateTime": "DateTime",
    "Elixir.Portpool.Tensor": "Tensor",
    "Elixir.Portpool.Bytes": "bytes",
}


@overload
def encoder(cls: type[V]) -> Callable[[Callable[[V], R]], Callable[[V], R]]: ...
@overload
def encoder(cls: type[V], encode: Callable[[V], R]) -> Callable[[V], R]: ...
def encoder(cls: type[Any], encode: Callable[[Any], Any] | None = None) -> Any:
    """Register a function that encodes the values of a class, at any depth of a result.

    Use it as a decorator, or pass the function::

        @portpool.encoder(Money)
        def encode_money(money):
            return {"amount": money.amount, "currency": Atom(money.currency)}

    The function may return anything that can be encoded, including values that have encoders of their own. An encoder
    also applies to subclasses. The nearest one wins, and takes precedence over the rules of docs/types.md 2. Registering
    again for the same class replaces the encoder.

    Raises TypeError for plain types (``dict``, ``str``, ``int`` ..), which take no encoder. Their subclasses do.
    """
    if encode is None:
        return lambda function: encoder(cls, function)
    if not isinstance(cls, type):
        raise TypeError(f"an encoder is for a class, not for {show(cls)}")
    if cls is object or cls in _codec.NEVER_ASKED:
        raise TypeError(f"no encoder for {short_name(cls)}: it is a plain type; register encoders for its subclasses")
    if cls.__module__ == "portpool" and cls.__name__ in _OURS:
        raise TypeError(f"no encoder for portpool.{cls.__name__}: it already becomes a term")
    _codec.register(cls, encode)
    return encode


@overload
def decoder(name: str) -> Callable[[Callable[[dict[str, Any]], R]], Callable[[dict[str, Any]], R]]: ...
@overload
def decoder(name: str, decode: Callable[[dict[str, Any]], R]) -> Callable[[dict[str, Any]], R]: ...
def decoder(name: str, decode: Callable[[dict[str, Any]], Any] | None = None) -> Any:
    """Register a function that decodes the structs of a name, at any depth of the arguments.

    Use it as a decorator, or pass the function. ``fields`` is a new dict for each struct, without ``__struct__``. Its keys
    are ``Atom``, and so equal to their text. ``"MyApp.Money"`` and ``"Elixir.MyApp.Money"`` are the same name::

        @portpool.decoder("MyApp.Money")
        def decode_money(fields):
            return Money(**fields)

    If the function returns something hashable, the struct can also be the key of a map. Registering again for the same
    name replaces the decoder. When a call names a module that registers a decoder, or that imports one that does, the
    decoder applies from the first call on.

    Raises ValueError for structs that have a type of their own: dates and times, tensors, ``Portpool.Bytes``.
    """
    if decode is None:
        return lambda function: decoder(name, function)
    if not isinstance(name, str):
        raise TypeError(f'a decoder is for the name of a struct, "MyApp.Money", not for {show(name)}')
    full = _module_name(str.__str__(name))
    if full in _OWN_STRUCTS:
        raise ValueError(f"no decoder for {name}: it is a {_OWN_STRUCTS[full]}")
    _decoders[full] = decode
    return decode


def _module_name(name: str) -> str:
    """Return the atom of an Elixir module, which people write without `Elixir.`; other atoms do not begin with a capital letter."""
    return "Elixir." + name if name[:1].isupper() and not name.startswith("Elixir.") else name


class Unhashable(Unencodable):
    """An argument cannot be represented in Python: a struct is a key, but its decoded value cannot be hashed."""

    is_argument = True


def _struct(fields: dict[Any, Any]) -> Any:
    """Return the decoded struct, or its dict if it has no decoder."""
    decode = _decoders.get(fields["__struct__"])
    if decode is None:
        return fields
    del fields["__struct__"]
    return decode(fields)


def _dict(pairs: tuple[Any, ...]) -> dict[Any, Any]:
    """Build a dict whose keys the server could not check, from alternating keys and values."""
    made: dict[Any, Any] = {}
    for key, value in zip(pairs[::2], pairs[1::2]):
        try:
            known = key in made
        except TypeError as error:
            raise Unhashable(f"a key that is or contains a struct must be hashable, by a portpool.decoder: {text_of(error)}") from error
        if known:
            raise Unhashable(f"key collision: {show(key)} is equal to another key of the same map")
        made[key] = value
    return made


def _import(module: str, function: str) -> None:
    """Import the called module before the first struct is decoded, since it may register the decoder."""
    if module not in sys.modules:
        from portpool import _calls

        _calls.import_module(module, function)


for _function in (_struct, _dict, _import):
    _function.__module__ = "portpool"
