"""Reseeds random generators created in the template: without this, all workers would draw the same numbers."""

from __future__ import annotations

import gc
import random
import sys

TYPE_CHECKING = False  # see _boot.py
if TYPE_CHECKING:
    from typing import Any

# A seed that numpy has drawn itself has 128 random bits; one that a person has chosen is hardly ever so large.
_CHOSEN_BITS = 96


class Generators:
    """The randomly seeded generators, to be reseeded in each worker as if it had imported everything itself.

    One that somebody has seeded stays as it is: its numbers are meant to be the same each time. For numpy's generators, including the
    global one, the seed itself shows that. Python's do not show it, so this watches while modules are imported. Python reseeds its
    global generator itself.
    """

    def __init__(self) -> None:
        self._python: list[random.Random] = []
        self._numpy: list[Any] = []
        self._chosen: set[int] = set()
        self._seed = random.Random.seed

    def __enter__(self) -> Generators:
        original, chosen = self._seed, self._chosen

        def seed(self: random.Random, a: Any = None, version: int = 2) -> None:
            """`random.Random.seed`, which also notes whether the caller chose the seed."""
            (chosen.discard if a is None else chosen.add)(id(self))
            original(self, a, version)

        random.Random.seed = seed  # type: ignore[method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        random.Random.seed = self._seed  # type: ignore[method-assign]

    def find(self) -> None:
        """List the generators, before `gc.freeze` hides them."""
        bit_generator = getattr(sys.modules.get("numpy.random"), "BitGenerator", None)
        if not isinstance(bit_generator, type):  # A module of the user may have that name.
            bit_generator = ()
        for value in gc.get_objects():
            kind = type(value)
            if issubclass(kind, random.Random):
                if id(value) not in self._chosen:
                    self._python.append(value)
            elif issubclass(kind, bit_generator) and str(kind.__module__).startswith("numpy.") and _drew_its_seed(value):
                self._numpy.append(value)

    def reseed(self) -> None:
        for generator in self._python:
            random.Random.seed(generator)  # A subclass may have a `seed` of its own, which wants arguments.
        for generator in self._numpy:
            generator.state = type(generator)().state


def _drew_its_seed(generator: Any) -> bool:
    """Return whether numpy chose the seed itself. `seed_seq` has an underscore before numpy 1.25; a legacy seed has none."""
    sequence = getattr(generator, "seed_seq", None) or getattr(generator, "_seed_seq", None)
    entropy = getattr(sequence, "entropy", None)
    return isinstance(entropy, int) and entropy.bit_length() > _CHOSEN_BITS
