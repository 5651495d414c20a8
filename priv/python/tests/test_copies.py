"""Values that a function gets are pickled, copied and shown by others as what they are for Python."""

from __future__ import annotations

import copy
import datetime
import io
import json
import pickle
import pickletools
import subprocess
import sys
import unittest
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PACKAGE))

from portpool import Atom, Date, DateTime, ImproperList, NaiveDateTime, Opaque, Tensor, Time, Zone

PARIS = Zone("Europe/Paris", "CEST", 3600, 3600)
FIXED = datetime.timezone(datetime.timedelta(hours=2), "CEST")
# What a function may get, and what that is for whoever loads its pickle.
PLAIN: list[tuple[Any, Any]] = [
    (Atom("ok"), "ok"),
    (Atom("é\udc80"), "é\udc80"),
    (Opaque(b"Mx"), b"Mx"),
    (ImproperList([1, Atom("a")], Atom("t")), ([1, "a"], "t")),
    (Date(2024, 7, 1), datetime.date(2024, 7, 1)),
    (Time(1, 2, 3, 500, None, 3, 1), datetime.time(1, 2, 3, 500, fold=1)),
    (NaiveDateTime(2024, 7, 1, 2, 3, 4, 5, fold=1), datetime.datetime(2024, 7, 1, 2, 3, 4, 5, fold=1)),
    (DateTime(2024, 7, 1, 2, 3, 4, 5, PARIS), datetime.datetime(2024, 7, 1, 2, 3, 4, 5, FIXED)),
    (PARIS, FIXED),
    (Tensor(("bf", 16), (2,), b"abcd"), (("bf", 16), (2,), b"abcd")),
    ({Atom("k"): [Atom("v"), (Opaque(b"Mx"),)]}, {"k": ["v", (b"Mx",)]}),
]


def by_python(value: Any, protocol: int) -> bytes:
    file = io.BytesIO()
    pickle._Pickler(file, protocol).dump(value)  # type: ignore[attr-defined]
    return file.getvalue()


class Copies(unittest.TestCase):
    def test_pickles_of_all_picklers_and_protocols_are_plain(self) -> None:
        for value, plain in PLAIN:
            for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
                for dumps in (pickle.dumps, by_python):
                    with self.subTest(value=value, protocol=protocol, dumps=dumps):
                        written = dumps(value, protocol)
                        self.assertNotIn(b"portpool", written)
                        names = {opcode.name for opcode, _, _ in pickletools.genops(written)}
                        self.assertFalse(names & {"EXT1", "EXT2", "EXT4"})
                        expected = repr(pickle.loads(pickle.dumps(plain, protocol)))
                        self.assertEqual(repr(pickle.loads(written)), expected)
                        self.assertEqual(repr(pickle._loads(written)), expected)  # type: ignore[attr-defined]

    def test_pickles_are_loaded_where_the_package_is_not(self) -> None:
        code = "import pickle, sys; value = pickle.load(sys.stdin.buffer); assert 'portpool' not in sys.modules; print(ascii(value))"
        values, plain = zip(*PLAIN)
        run = subprocess.run([sys.executable, "-I", "-c", code], input=pickle.dumps(values), stdout=subprocess.PIPE, check=True)
        self.assertEqual(run.stdout.decode().strip(), ascii(plain))

    def test_copies_keep_the_class(self) -> None:
        for value, _ in PLAIN:
            for one in (copy.copy(value), copy.deepcopy(value), copy.deepcopy([value])[0]):
                self.assertIs(type(one), type(value))
                self.assertEqual(one, value)
                self.assertEqual(repr(one), repr(value))

    def test_a_deep_copy_shares_nothing_that_changes_and_may_contain_itself(self) -> None:
        inner = ImproperList([[1]], Atom("t"))
        shallow, deep = copy.copy(inner), copy.deepcopy(inner)
        self.assertIs(shallow.items[0], inner.items[0])
        self.assertIsNot(shallow.items, inner.items)
        self.assertIsNot(deep.items[0], inner.items[0])
        inner.items.append(inner)
        self.assertIs((deep := copy.deepcopy(inner)).items[1], deep)

    def test_json_takes_what_it_takes_of_the_plain_base(self) -> None:
        value = {Atom("k"): [Atom("v"), {"a": Atom("b")}]}
        for options in ({}, {"indent": 1}, {"sort_keys": True}):
            self.assertEqual(json.loads(json.dumps(value, **options)), {"k": ["v", {"a": "b"}]})

    def test_subclasses_of_others_are_pickled_as_such(self) -> None:
        for value in (Word("a"), Day(2024, 7, 1), Moment(2024, 7, 1, 2, 3, 4)):
            self.assertIs(type(pickle.loads(pickle.dumps(value))), type(value))


class Word(Atom):
    pass


class Day(Date):
    pass


class Moment(NaiveDateTime):
    pass


if __name__ == "__main__":
    unittest.main()
