"""Types of users: what registers with portpool, and what goes wrong in it."""

import portpool
from portpool import Atom


class Money:
    def __init__(self, amount, currency):
        self.amount, self.currency = amount, currency

    def __eq__(self, other):
        return (self.amount, self.currency) == (other.amount, other.currency)

    def __hash__(self):
        return hash((self.amount, self.currency))


class Broken:
    def __init__(self, how="raises"):
        self.how = how


@portpool.decoder("Elixir.Portpool.Test.Money")
def decode_money(fields):
    return Money(**fields)


@portpool.encoder(Money)
def encode_money(money):
    name = Atom("Elixir.Portpool.Test.Money")
    return {Atom("__struct__"): name, **{Atom(key): value for key, value in vars(money).items()}}


@portpool.encoder(Broken)
def encode_broken(broken):
    if broken.how == "raises":
        raise KeyError("no such key")
    return broken


@portpool.decoder("Portpool.Test.Undecodable")
def decode_badly(fields):
    raise ValueError(f"no use for {fields['x']}")


def doubled(value):
    """Doubles all money in a value."""
    if isinstance(value, Money):
        return Money(2 * value.amount, value.currency)
    if isinstance(value, dict):
        return {doubled(key): doubled(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(doubled, value))
    return value


def broken(how):
    return {"stops": [1, (Broken(how),)]}


def unknown():
    return {"stops": [1, object()]}
