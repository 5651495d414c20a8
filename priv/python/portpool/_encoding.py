"""What all parts of the encoding share: the refusal of a value, and the encoders of the user's classes."""

from __future__ import annotations

TYPE_CHECKING = False  # see _boot.py
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    # What a reducer makes of a value: something that CODES has, and the arguments to call it with.
    Reduced = tuple[Any, tuple[Any, ...]]
    Reducer = Callable[[Any], Reduced]

# What the pickler writes without asking anyone.
SCALARS = frozenset({type(None), bool, int, float, str, bytes, bytearray})
# The encoder of each class that has one.
encoders: dict[type[Any], Callable[[Any], Any]] = {}


class Unencodable(Exception):
    """A value that the other side cannot represent: where it is, and of which type."""

    # Whether it was to come in and not to go out.
    is_argument = False

    def __init__(self, message: str, path: str = "", type_name: str | None = None) -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.message = message
        self.path = path
        self.type_name = type_name
