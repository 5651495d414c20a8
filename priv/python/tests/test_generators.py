"""Which random generators of a template are seeded anew in a worker: those that nobody has seeded."""

import random
import sys
import types
import unittest
from typing import Any

from portpool._generators import Generators


class BitGenerator:
    """numpy's, as far as it is looked at; with the real one, tests/integration/template.rs has the same promise."""

    __module__ = "numpy.random._fake"
    made = 0

    def __init__(self, entropy: Any = None, underscore: bool = False) -> None:
        BitGenerator.made += 1
        self.state = BitGenerator.made
        self.gc_sees_me: list[Any] = []
        entropy = (1 << 127) + 1 if entropy is None else entropy
        name = "_seed_seq" if underscore else "seed_seq"
        setattr(self, name, types.SimpleNamespace(entropy=entropy) if entropy else None)


class Forked(unittest.TestCase):
    def setUp(self) -> None:
        numpy_random = types.ModuleType("numpy.random")
        numpy_random.BitGenerator = BitGenerator  # type: ignore[attr-defined]
        self.addCleanup(sys.modules.pop, "numpy.random", None)
        sys.modules["numpy.random"] = numpy_random

    def test_numpys_generators_are_seeded_anew_if_nobody_has_seeded_them(self) -> None:
        for entropy, underscore, changes in (
            (None, False, True),
            (None, True, True),
            (7, False, False),
            ([1, 2], False, False),
            (0, False, False),
        ):
            generator = BitGenerator(entropy, underscore)
            with Generators() as generators:
                generators.find()
            before = generator.state
            generators.reseed()
            self.assertEqual(generator.state != before, changes, (entropy, underscore))

    def test_pythons_generators_are_seeded_anew_if_nobody_has_seeded_them(self) -> None:
        with Generators() as generators:
            by_chance, chosen, chosen_later, given_up = random.Random(), random.Random(7), random.Random(), random.Random(7)
            chosen_later.seed("a word")
            given_up.seed()
            generators.find()
        every = [by_chance, chosen, chosen_later, given_up]
        before = [generator.getstate() for generator in every]
        generators.reseed()
        changed = [generator.getstate() != state for generator, state in zip(every, before)]
        self.assertEqual(changed, [True, False, False, True])

    def test_listening_leaves_no_trace(self) -> None:
        seed = random.Random.seed
        with Generators():
            self.assertEqual(random.Random(7).random(), 0.32383276483316237)
        self.assertIs(random.Random.seed, seed)


if __name__ == "__main__":
    unittest.main()
