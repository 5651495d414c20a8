"""The Python half of the codec: what pickles may name, what values become, what is refused."""

from __future__ import annotations

import collections
import dataclasses
import decimal
import enum
import pickle
import re
import subprocess
import sys
import unittest
import uuid
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PACKAGE))

import portpool
from portpool import Atom, ImproperList, Opaque, _codec, _types


def through(value: Any) -> Any:
    """What a value is once it has been pickled: the server sees no more of it."""
    return _codec.loads(b"".join(_codec.dumps(value)))


class Point(collections.namedtuple("Point", "x y")):
    """A tuple with names."""


@dataclasses.dataclass(frozen=True)
class Stop:
    """A dataclass, and hashable."""

    name: str
    points: Any = ()
    hidden: dataclasses.InitVar[int] = 0


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Text(str):
    """A str that lies about itself."""

    def __str__(self) -> str:
        return "something else"

    def __repr__(self) -> str:
        return "something else"


class Thing:
    """An object like any other."""


class Types(unittest.TestCase):
    def test_an_atom_is_its_text(self) -> None:
        atom = Atom("ok")
        self.assertEqual(atom, "ok")
        self.assertEqual(hash(atom), hash("ok"))
        self.assertEqual({"ok": 1}[atom], 1)
        self.assertEqual(repr(atom), "Atom('ok')")
        self.assertEqual(f"{atom} {atom!s}", "ok ok")
        self.assertIs(type(str(atom)), str)

    def test_opaques_are_equal_if_their_bytes_are(self) -> None:
        self.assertEqual(Opaque(b"Mx"), Opaque(b"Mx"))
        self.assertEqual(len({Opaque(b"Mx"), Opaque(b"Mx"), Opaque(b"My")}), 2)
        self.assertNotEqual(Opaque(b"Mx"), b"Mx")
        self.assertEqual(repr(Opaque(b"Mx")), "<portpool.Opaque bitstring>")
        self.assertEqual(repr(Opaque(b"")), "<portpool.Opaque nothing>")

    def test_an_improper_list_has_an_item_and_a_tail_that_is_no_list(self) -> None:
        self.assertEqual(ImproperList([1], 2), ImproperList([1], 2))
        self.assertNotEqual(ImproperList([1], 2), ImproperList([1], 3))
        self.assertEqual(repr(ImproperList([1], 2)), "ImproperList([1], 2)")
        for items, tail in (([], 1), ([1], []), ([1], [2])):
            with self.assertRaises(ValueError):
                ImproperList(items, tail)
        with self.assertRaises(TypeError):
            hash(ImproperList([1], 2))

    def test_types_have_no_dict_of_their_own(self) -> None:
        for value in (Atom("a"), Opaque(b"a"), ImproperList([1], 2)):
            self.assertFalse(hasattr(value, "__dict__"), value)

    def test_everything_public_is_documented(self) -> None:
        for name in portpool.__all__:
            self.assertTrue(getattr(portpool, name).__doc__, name)


class Values(unittest.TestCase):
    def test_plain_values_stay_what_they_are(self) -> None:
        value = [None, True, 0, -1, 2**100, 1.5, "text", b"bytes", (), (1, 2), {"a": [1]}, {1, 2}, bytearray(b"x")]
        self.assertEqual(through(value), value)
        self.assertEqual([type(part) for part in through(value)], [type(part) for part in value])

    def test_what_came_from_a_term_goes_back_as_it_came(self) -> None:
        for value in (Atom("ok"), Opaque(b"Mx"), ImproperList([1, Atom("a")], Opaque(b"My"))):
            self.assertEqual(through([value, value]), [value, value])
            self.assertIs(type(through(value)), type(value))
        self.assertIs(type(through({Atom("k"): 1}).popitem()[0]), Atom)

    def test_values_that_only_python_has_become_plain_ones(self) -> None:
        cases = [
            (memoryview(b"abcd")[::2], b"ac"),
            (Point(1, Point(2, 3)), (1, (2, 3))),
            (range(3), [0, 1, 2]),
            (Colour.RED, "red"),
            (Level.LOW, 1),
            (Stop("a", [Stop("b")]), {"name": "a", "points": [{"name": "b", "points": ()}]}),
            (uuid.UUID(int=7), str(uuid.UUID(int=7))),
            (decimal.Decimal("1.50"), "1.50"),
            (collections.OrderedDict(a=1), {"a": 1}),
            (collections.defaultdict(list, a=[1]), {"a": [1]}),
            (collections.Counter("aab"), {"a": 2, "b": 1}),
            (Text("true text"), "true text"),
            ({Level.LOW: Colour.RED}, {1: "red"}),
        ]
        for base, value in ((int, 7), (float, 1.5), (bytes, b"x"), (list, [1]), (dict, {1: 2}), (tuple, (1,))):
            cases.append((type("Sub", (base,), {})(value), value))
        for value, plain in cases:
            self.assertEqual(through([value]), [plain])
            self.assertIs(type(through(value)), type(plain), value)

    def test_order_of_an_ordered_dict_is_its_own(self) -> None:
        ordered = collections.OrderedDict(a=1, b=2)
        ordered.move_to_end("a")
        self.assertEqual(list(through(ordered)), ["b", "a"])

    def test_large_bytes_are_passed_on_uncopied(self) -> None:
        large = bytes(1 << 20)
        self.assertTrue(any(chunk is large for chunk in _codec.dumps(["head", large, "tail"])))

    def test_one_object_stays_one(self) -> None:
        shared = [Atom("a")]
        first, second = through([shared, shared])
        self.assertIs(first, second)

    def test_any_pickler_and_unpickler_can_take_over(self) -> None:
        value = [Atom("ok"), {"a": (1, None)}]
        self.assertEqual(pickle.loads(b"".join(_codec.dumps(value))), value)
        self.assertEqual(_codec.loads(pickle.dumps(value, 5)), value)


class Refusals(unittest.TestCase):
    def refused(self, value: Any) -> tuple[str, str | None]:
        with self.assertRaises(_codec.Unencodable) as caught:
            _codec.dumps(value)
        return caught.exception.path, caught.exception.type_name

    def test_the_first_value_without_a_form_is_named(self) -> None:
        thing = f"{__name__}.Thing"
        self.assertEqual(self.refused(Thing()), ("", thing))
        self.assertEqual(self.refused([1, [2, Thing()], Thing()]), ("element 2, element 2", thing))
        self.assertEqual(self.refused({"a": {Atom("b"): {1: (Thing(),)}}}), ('key "a", key :b, key 1, element 1', thing))
        self.assertEqual(self.refused({'say "hi"': Thing()}), ('key "say \\"hi\\""', thing))
        self.assertEqual(self.refused(ImproperList([1, Thing()], 2)), ("element 2", thing))
        self.assertEqual(self.refused(ImproperList([1], Thing())), ("tail", thing))
        self.assertEqual(self.refused([Stop("a", Thing())]), ('element 1, key "points"', thing))
        self.assertEqual(self.refused([Point(1, Thing())]), ("element 1, element 2", thing))
        self.assertEqual(self.refused({frozenset([Thing()]): 1})[1], thing)

    def test_functions_generators_and_exceptions_have_no_form(self) -> None:
        self.assertEqual(self.refused([lambda: None]), ("element 1", "function"))
        self.assertEqual(self.refused([iter([])]), ("element 1", "list_iterator"))
        self.assertEqual(self.refused(part for part in []), ("", "generator"))
        self.assertEqual(self.refused(ValueError("x")), ("", "ValueError"))
        self.assertEqual(self.refused([len]), ("element 1", "builtin_function_or_method"))
        self.assertEqual(self.refused(sys), ("", "module"))
        self.assertEqual(self.refused([...]), ("element 1", "ellipsis"))

    def test_a_shared_value_is_searched_once(self) -> None:
        shared: list[Any] = [1]
        for _ in range(60):
            shared = [shared, shared]
        path, _ = self.refused([shared, Thing()])
        self.assertEqual(path, "element 2")

    def test_a_cycle_does_not_keep_the_search(self) -> None:
        cycle: list[Any] = []
        cycle.append(cycle)
        self.assertEqual(self.refused([cycle, Thing()])[0], "element 2")

    def test_what_a_value_raises_itself_is_told_with_its_path(self) -> None:
        class Broken(enum.Enum):
            A = 1

            @property
            def value(self) -> int:
                raise KeyError("broken")

        with self.assertRaises(_codec.Unencodable) as caught:
            _codec.dumps([0, Broken.A])
        self.assertEqual(caught.exception.path, "element 2")
        self.assertIn("broken", caught.exception.message)

    def test_values_nested_too_deep_are_told_apart(self) -> None:
        deep: Any = 1
        for _ in range(100_000):
            deep = [deep]
        with self.assertRaises(_codec.Unencodable) as caught:
            _codec.dumps(deep)
        self.assertIn("400 levels", str(caught.exception))

    def test_nesting_that_the_server_takes_is_never_too_deep_here(self) -> None:
        for wrap in (lambda inner: [inner], lambda inner: (inner,), lambda inner: {"k": inner}):
            deep: Any = 1
            for _ in range(400):
                deep = wrap(deep)
            _codec.dumps(deep)

    def test_a_refused_value_leaves_nothing_for_the_next(self) -> None:
        for bad in (["x" * 200_000, Thing()], [lambda: None]):
            self.refused(bad)
            self.assertEqual(through([1]), [1])


class Cost(unittest.TestCase):
    def test_importing_the_package_imports_no_heavy_module(self) -> None:
        script = f"import sys; sys.path.insert(0, {str(PACKAGE)!r}); import portpool._codec; print(*sys.modules)"
        run = subprocess.run([sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=True)
        heavy = {"typing", "re", "enum", "dataclasses", "decimal", "uuid", "pickle", "inspect", "asyncio", "_datetime"}
        self.assertEqual(heavy & set(run.stdout.split()), set())

    def test_the_codes_are_those_of_the_server(self) -> None:
        # src/codec/global.rs
        source = (PACKAGE.parent.parent / "src" / "codec" / "global.rs").read_text()
        names = re.findall(r'Self::\w+ => "(\w+)"', source)
        self.assertEqual(list(_types.CODES), names)
        self.assertEqual(list(_types.CODES.values()), list(range(0x70700000, 0x70700000 + len(names))))
        for name in names:
            self.assertEqual(getattr(portpool, name).__name__, name)
            self.assertEqual(getattr(portpool, name).__module__, "portpool")


if __name__ == "__main__":
    unittest.main()
