"""Tensors, numpy arrays and numpy scalars. Imported, together with numpy, when the first one is seen."""

from __future__ import annotations

import sys
from _pickle import PickleBuffer

from portpool import _codec, _reducers
from portpool._encoding import Unencodable
from portpool._say import type_name

TYPE_CHECKING = False  # see _types.py
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from portpool._encoding import Reduced, Reducer

try:
    __import__("numpy")
except Exception:  # It is optional, and may fail in ways of its own.
    pass
numpy: Any = _reducers.numpy()  # None if a module of the user has that name.

# The type kinds of Nx that numpy has, with their sizes in bits.
_BITS = {"s": (8, 16, 32, 64), "u": (8, 16, 32, 64), "f": (16, 32, 64), "c": (64, 128)}
# Nx kinds by numpy kind; bool is u8 in Nx.
_KINDS = {"i": "s", "u": "u", "f": "f", "c": "c", "b": "u"}
_LETTERS = {"s": "i", "u": "u", "f": "f", "c": "c"}


class Tensor:
    """A ``%Portpool.Tensor{}`` that cannot be a numpy array: numbers of one type in row-major order.

    ``type`` is the Nx type, such as ``("bf", 16)``. ``shape`` holds the sizes of the dimensions, ``data`` the bytes,
    little-endian. Where numpy is installed and supports the type, a tensor arrives as an array instead.
    """

    __slots__ = ("data", "shape", "type")
    __module__ = "portpool"
    __hash__ = None  # type: ignore[assignment]

    data: bytes
    shape: tuple[int, ...]
    type: tuple[str, int]

    def __init__(self, type: tuple[str, int], shape: tuple[int, ...], data: bytes) -> None:
        bits = type[1]
        for size in shape:
            bits *= size
        if bits != 8 * len(data):
            raise ValueError(f"a tensor of type {type} and shape {shape} has {bits} bits, not {len(data)} bytes")
        self.type = type
        self.shape = shape
        self.data = data

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tensor) and (self.type, self.shape, self.data) == (other.type, other.shape, other.data)

    def __repr__(self) -> str:
        return f"<portpool.Tensor {self.type[0]}{self.type[1]} {self.shape}>"

    def __reduce__(self) -> Any:
        """Pickle it as a tuple, which loads without this package."""
        return tuple, ((self.type, self.shape, self.data),)

    def __copy__(self) -> Tensor:
        return type(self)(self.type, self.shape, self.data)

    def __deepcopy__(self, memo: object) -> Tensor:
        return self.__copy__()  # All of its parts are immutable.


def _tensor(kind: str, bits: int, shape: tuple[int, ...], data: bytes) -> Any:
    """Return a read-only array over these bytes without a copy, or a Tensor."""
    if numpy is not None and bits in _BITS.get(kind, ()):
        try:
            return numpy.ndarray(shape, f"<{_LETTERS[kind]}{bits // 8}", data)
        except ValueError:
            pass  # Sizes that numpy refuses, with a zero among them.
    return Tensor((kind, bits), shape, data)


_tensor.__module__ = "portpool"


def find_reducer(cls: type[Any]) -> Reducer:
    """Return the reducer of an array class, a numpy scalar class, or Tensor."""
    _codec.admit(_tensor)
    if issubclass(cls, Tensor):
        return _reduce_tensor
    if issubclass(cls, numpy.ndarray):
        return _refuse_masked if _is_masked(cls) else _reduce_array
    for base, make in _SCALARS:
        if issubclass(cls, base):
            return _reducers.reduce_by(make)
    return _refuse_scalar


def _refuse_scalar(value: Any) -> Any:
    kind = type_name(type(value))
    raise Unencodable(f"a value of type {kind} cannot be represented as a term: convert it, or register a portpool.encoder")


def _is_masked(cls: type[Any]) -> bool:
    masked = sys.modules.get("numpy.ma")
    return masked is not None and issubclass(cls, masked.MaskedArray)


def _refuse_masked(value: Any) -> Reduced:
    raise Unencodable("a masked array cannot be represented as a term: use its filled()")


def _reduce_tensor(value: Tensor) -> Reduced:
    kind, bits = value.type
    return _tensor, (kind, bits, tuple(value.shape), PickleBuffer(value.data))


def _reduce_array(value: Any) -> Reduced:
    kind, bits = _KINDS.get(value.dtype.kind), 8 * value.dtype.itemsize
    if kind is None or bits not in _BITS[kind]:
        raise Unencodable(
            f"an array of dtype {value.dtype} cannot be represented as a term: use astype() with a number type of at most 64 bits, "
            "or tolist()"
        )
    # Copies only if the bytes are in another order.
    rows = numpy.ascontiguousarray(value, value.dtype.newbyteorder("<"))
    return _tensor, (kind, bits, value.shape, PickleBuffer(rows))


# The scalars that a term can hold; the first match wins. Missing: complex, times, and floats of more than 64 bits.
_SCALARS: list[tuple[type[Any], Callable[[Any], Any]]] = []
if numpy is not None:
    _SCALARS = [
        (numpy.bool_, bool),
        (numpy.timedelta64, _refuse_scalar),  # A subclass of integer, whose unit would be lost.
        (numpy.integer, int),
        (numpy.float64, float),
        (numpy.float32, float),
        (numpy.float16, float),
        (numpy.str_, str.__str__),
        (numpy.bytes_, bytes),
    ]
