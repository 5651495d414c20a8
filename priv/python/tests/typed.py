"""What type checkers know of the package: `mypy --strict` reads this file and finds nothing. It is not run."""

from __future__ import annotations

from typing import Any, Callable

import portpool
from portpool import Atom, DateTime, ImproperList, Opaque, Tensor
from portpool.testing import Error, call, roundtrip


class Money:
    def __init__(self, amount: int, currency: str) -> None:
        self.amount = amount
        self.currency = currency


@portpool.encoder(Money)
def encode_money(money: Money) -> dict[str, Any]:
    return {"amount": money.amount, "currency": Atom(money.currency)}


@portpool.decoder("MyApp.Money")
def decode_money(fields: dict[str, Any]) -> Money:
    return Money(**fields)


@portpool.after_fork
def connect() -> None:
    pass


encoded: dict[str, Any] = encode_money(Money(1, "EUR"))
decoded: Money = decode_money({"amount": 1, "currency": "EUR"})
direct: Callable[[Money], dict[str, Any]] = portpool.encoder(Money, encode_money)
text: str = Atom("ok")
parts: tuple[list[Any], Any] = (ImproperList([1], 2).items, ImproperList([1], 2).tail)
term: bytes = Opaque(b"Mx").etf
shape: tuple[int, ...] = Tensor(("u", 8), (1,), b"a").shape


def zone(value: DateTime) -> str:
    return value.time_zone


@portpool.encoder(Money)  # type: ignore[arg-type]  # Of another class.
def encode_other(value: int) -> int:
    return value


portpool.encoder("Money")  # type: ignore[call-overload]
portpool.decoder(Money)  # type: ignore[call-overload]

version: str = portpool.__version__
got: list[int] = roundtrip({1})
total: int = call(sum, [1, 2], start=3)


def why(error: Error) -> tuple[str, str, str, str]:
    return error.reason, error.message, error.path, error.type
