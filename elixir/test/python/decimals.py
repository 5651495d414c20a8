"""Decimals of Elixir are those of Python, both ways."""

from decimal import Decimal

import portpool
from portpool import Atom


@portpool.decoder("Decimal")
def decode_decimal(fields):
    sign = "-" if fields["sign"] < 0 else ""
    if isinstance(fields["coef"], Atom):  # :NaN or :inf
        return Decimal(sign + fields["coef"])
    return Decimal(f"{sign}{fields['coef']}e{fields['exp']}")


@portpool.encoder(Decimal)
def encode_decimal(value):
    sign, digits, exp = value.as_tuple()
    if isinstance(exp, str):
        coef, exp = Atom("inf" if exp == "F" else "NaN"), 0
    else:
        coef = int("".join(map(str, digits)))
    return {
        Atom("__struct__"): Atom("Elixir.Decimal"),
        Atom("sign"): -1 if sign else 1,
        Atom("coef"): coef,
        Atom("exp"): exp,
    }


def total(prices):
    return sum(prices.values(), Decimal(0))
