"""Random generators that were made in the template: all workers would draw the same numbers from them."""

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
    """The generators that were seeded by chance, to be seeded anew in each worker, as if it had imported everything itself.

    One that somebody has seeded is left as it is: its numbers are meant to be the same each time. Of numpy's, also the global one, the seed
    itself tells. Python's say nothing of it, so this listens while modules are imported; its global one is seeded anew by Python.
    """

    def __init__(self) -> None:
        self._python: list[random.Random] = []
        self._numpy: list[Any] = []
        self._chosen: set[int] = set()
        self._seed = random.Random.seed

    def __enter__(self) -> Generators:
        original, chosen = self._seed, self._chosen

        def seed(self: random.Random, a: Any = None, version: int = 2) -> None:
            """What `random.Random.seed` was, with an ear for who has chosen the seed."""
            (chosen.discard if a is None else chosen.add)(id(self))
            original(self, a, version)

        random.Random.seed = seed  # type: ignore[method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        random.Random.seed = self._seed  # type: ignore[method-assign]

    def find(self) -> None:
        """Takes the list, before `gc.freeze` hides what there is."""
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
    """Whether numpy has chosen the seed itself. `seed_seq` has an underscore before numpy 1.25; a legacy seed has none."""
    sequence = getattr(generator, "seed_seq", None) or getattr(generator, "_seed_seq", None)
    entropy = getattr(sequence, "entropy", None)
    return isinstance(entropy, int) and entropy.bit_length() > _CHOSEN_BITS
