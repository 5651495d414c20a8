"""`portpool.testing`: what a caller gets, by the real program."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import decimal
import enum
import os
import stat
import sys
import tempfile
import threading
import types
import unittest
from collections.abc import Generator
from pathlib import Path
from typing import Any
from unittest import mock

PACKAGE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PACKAGE))

import portpool
from portpool import Atom, ImproperList, Opaque, _codec, _extend, testing
from portpool.testing import ProgramError, call, roundtrip


class Color(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Stop:
    id: int
    photo: bytes


class Roundtrip(unittest.TestCase):
    def same(self, value: Any, expected: Any) -> None:
        got = roundtrip(value)
        self.assertEqual((got, type(got)), (expected, type(expected)), repr(value))

    def test_a_value_comes_back_as_the_caller_gets_it(self) -> None:
        for value in (None, True, 7, -(2**70), -0.0, "é", b"\xff", "", b"", [], {}, (), [1, [2.5]], (1, ("a",)), {"a": {1: None}}):
            self.same(value, value)
        for value, expected in [
            ({1}, [1]),
            (range(3), [0, 1, 2]),
            (bytearray(b"ab"), b"ab"),
            (Color.RED, "red"),
            (Stop(1, b"jpg"), {"id": 1, "photo": b"jpg"}),
            (decimal.Decimal("1.50"), "1.50"),
            (Atom("nil"), None),
            (Atom("ok"), Atom("ok")),
            (ImproperList([1], 2), ImproperList([1], 2)),
            (Opaque(b"M\x00\x00\x00\x01\x03\xa0"), Opaque(b"M\x00\x00\x00\x01\x03\xa0")),
            (datetime.date(2024, 2, 29), portpool.Date(2024, 2, 29)),
            (datetime.datetime(2024, 2, 29, 1, 2, 3), portpool.NaiveDateTime(2024, 2, 29, 1, 2, 3)),
        ]:
            self.same(value, expected)

    def test_bytes_and_text_stay_apart_wherever_they_are(self) -> None:
        value = {"a": b"a", b"b": ["b", b"c", (b"d", "e")], (b"f", "g"): {b"h": "i"}}
        self.same(value, value)
        large = [b"x" * 70_000, "y" * 70_000, b"\xff" * 200_000]
        self.same({"large": large}, {"large": large})

    def test_arrays_are_arrays(self) -> None:
        try:
            import numpy
        except ImportError:
            self.skipTest("numpy is not installed")
        got = roundtrip({"a": numpy.arange(30_000, dtype="int32").reshape(3, -1)})["a"]
        self.assertEqual((got.shape, str(got.dtype), got.flags.writeable), ((3, 10_000), "int32", False))
        self.assertEqual(got.sum(), sum(range(30_000)))

    def test_encoders_and_decoders_of_this_process_apply(self) -> None:
        for table in (_codec.encoders, _extend._decoders):
            before = dict(table)
            self.addCleanup(table.update, before)
            self.addCleanup(table.clear)
        self.addCleanup(_codec.TermPickler.dispatch_table.clear)
        portpool.encoder(Stop, lambda stop: {Atom("__struct__"): Atom("Elixir.MyApp.Stop"), Atom("id"): stop.id, Atom("photo"): stop.photo})
        self.same(Stop(1, b"jpg"), {"__struct__": "Elixir.MyApp.Stop", "id": 1, "photo": b"jpg"})
        portpool.decoder("MyApp.Stop", lambda fields: Stop(**fields))
        self.same([Stop(1, b"jpg")], [Stop(1, b"jpg")])
        portpool.encoder(Stop, lambda stop: 1 // 0)
        self.refused([Stop(1, b"")], "unencodable", "ZeroDivisionError", "element 1")

    def refused(self, value: Any, reason: str, says: str, path: str) -> testing.Error:
        with self.assertRaises(testing.Error) as caught:
            roundtrip(value)
        error = caught.exception
        self.assertEqual((error.reason, error.path, error.message), (reason, path, str(error)))
        self.assertIn(says, str(error))
        return error

    def test_what_would_fail_in_a_pool_fails_with_reason_message_path_and_type(self) -> None:
        itself: list[Any] = []
        itself.append(itself)
        deep: list[Any] = []
        for _ in range(450):
            deep = [deep]
        for value, says, path, kind in [
            ({"stops": [1, object()]}, "type object cannot be represented", 'key "stops", element 2', "object"),
            ({"a": [float("nan")]}, "NaN and infinity", 'key "a", element 1', "float"),
            ("\ud800", "lone surrogate", "", "str"),
            ({"a": 1, b"a": 2}, 'two keys become the same term, "a"', "key number 2", ""),
            (itself, "contains itself", None, None),
            (deep, "nests deeper than 400", None, None),
            (Atom("a" * 256), "255", "", None),
            (roundtrip, "it is a class, a function", "", None),
            ({frozenset([1]): 2}, "Python cannot hold it", "key number 1", ""),
        ]:
            with self.assertRaises(testing.Error) as caught:
                roundtrip(value)
            error = caught.exception
            self.assertEqual(error.reason, "unencodable")
            self.assertIn(says, error.message)
            self.assertEqual((error.path, error.type), (error.path if path is None else path, error.type if kind is None else kind))
        self.refused(["x" * 1000] * 70_000, "too_large", "max_frame (67108864)", "")
        self.refused(b"x" * (65 << 20), "too_large", "max_frame is 67108864", "")

    def test_threads_may_do_it_at_once(self) -> None:
        got: list[Any] = [None] * 8
        threads = [threading.Thread(target=lambda n=n: got.__setitem__(n, roundtrip([{n}] * 100))) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(got, [[[n]] * 100 for n in range(8)])


class Call(unittest.TestCase):
    def test_arguments_arrive_as_in_a_worker_and_the_caller_gets_the_result(self) -> None:
        def describe(*args: Any, **kwargs: Any) -> Any:
            return [[type(arg).__name__ for arg in args], {name: type(value).__name__ for name, value in kwargs.items()}, {1}]

        got = call(describe, (1,), {2}, Color.RED, Stop(1, b""), b"b", day=datetime.date(2024, 1, 1))
        self.assertEqual(got, [["tuple", "list", "str", "dict", "bytes"], {"day": "Date"}, [1]])

    def test_the_function_gets_values_of_its_own(self) -> None:
        mine = {"a": [1]}
        self.assertEqual(call(lambda value: value["a"].append(2) or value, mine), {"a": [1, 2]})
        self.assertEqual(mine, {"a": [1]})

    def test_results_of_coroutine_functions_are_awaited(self) -> None:
        async def later(value: int) -> set[int]:
            await asyncio.sleep(0)
            return {value}

        @types.coroutine
        def by_generator(value: int) -> Generator[None, None, set[int]]:
            yield
            return {value}

        self.assertEqual(call(later, 7), [7])
        self.assertEqual(call(by_generator, 7), [7])

    def test_what_it_raises_is_raised_and_wrong_arguments_are_named(self) -> None:
        with self.assertRaisesRegex(ZeroDivisionError, "division"):
            call(lambda: 1 // 0)
        for args, kwargs, says in [
            ((1, [object()]), {}, "argument 2: element 1: a value of type object"),
            ((float("nan"),), {}, "argument 1: NaN and infinity"),
            ((), {"stop": {"a": float("inf")}}, 'argument stop: key "a": NaN and infinity'),
        ]:
            with self.assertRaisesRegex(testing.Error, "^" + says):
                call(lambda *args, **kwargs: None, *args, **kwargs)


class Program(unittest.TestCase):
    """The program is looked for, and must fit."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def program(self, content: bytes, name: str = "portpool") -> str:
        path = self.folder / name
        path.write_bytes(content)
        path.chmod(stat.S_IRWXU)
        return str(path)

    def refusal(self, **variables: str) -> str:
        with mock.patch.dict(os.environ, variables), self.assertRaises(ProgramError) as caught:
            roundtrip(1)
        return str(caught.exception)

    def test_a_variable_names_it_or_it_is_beside_python_or_on_path(self) -> None:
        real = testing._program.find()
        with mock.patch.dict(os.environ, {"PORTPOOL_BINARY": ""}):
            os.symlink(real, self.folder / "portpool")
            with mock.patch.object(sys, "executable", str(self.folder / "python3")):
                self.assertEqual(testing._program.find(), str(self.folder / "portpool"))
            with mock.patch.dict(os.environ, {"PATH": str(self.folder)}):
                self.assertEqual(roundtrip({1}), [1])

    def test_the_program_that_was_installed_with_the_package_comes_first(self) -> None:
        """As for a user, with a prefix, in the base installation of an environment, and with a target."""
        for packages, programs in [
            (".local/lib/python3.11/site-packages", ".local/bin"),
            ("usr/local/lib/python3.11/dist-packages", "usr/local/bin"),
            ("target", "target/bin"),
        ]:
            (self.folder / programs).mkdir(parents=True)
            program = self.program(b"#!/bin/sh\n", f"{programs}/portpool")
            package = str(self.folder / packages / "portpool/__init__.py")
            with mock.patch.dict(os.environ, {"PORTPOOL_BINARY": ""}), mock.patch.object(portpool, "__file__", package):
                self.assertEqual(testing._program.find(), program)

    def test_without_a_program_the_error_says_where_it_was_looked_for(self) -> None:
        said = self.refusal(PORTPOOL_BINARY="", PATH=str(self.folder))
        self.assertIn(os.path.dirname(sys.executable), said)
        self.assertIn("pip install portpool", said)
        said = self.refusal(PORTPOOL_BINARY="/nowhere/portpool")
        self.assertEqual(said, "PORTPOOL_BINARY is '/nowhere/portpool', which is not an executable file")
        self.assertIn("not an executable file", self.refusal(PORTPOOL_BINARY=str(self.folder)))

    def test_a_program_of_another_processor_or_library_gets_one_clear_sentence(self) -> None:
        head = b"\x7fELF\x02\x01\x01" + bytes(9)
        other = self.program(head + (2).to_bytes(2, "little") + (22).to_bytes(2, "little") + bytes(44))
        expected = f"the program {other} cannot run on this machine: it was built for s390x, and this is {os.uname().machine}"
        self.assertEqual(self.refusal(PORTPOOL_BINARY=other), expected)
        self.assertTrue(self.refusal(PORTPOOL_BINARY=self.program(b"")).endswith("it is not a program"))
        self.assertIn("its loader is missing", self.refusal(PORTPOOL_BINARY=self.program(b"#!/nowhere/loader\n")))

    def test_a_program_of_another_version_is_refused(self) -> None:
        older = self.program(b"#!/bin/sh\ncat >/dev/null\necho \"error: unrecognized subcommand 'roundtrip'\" >&2\nexit 2\n")
        said = self.refusal(PORTPOOL_BINARY=older)
        self.assertIn(f"does not fit this package (version {portpool.__version__}): error: unrecognized subcommand", said)
        newer = self.program(b'#!/bin/sh\ncat >/dev/null\necho \'{"version":"9.0.0","buffers":[],"pickle":0}\'\n')
        self.assertIn(f"has version 9.0.0, and this package version {portpool.__version__}", self.refusal(PORTPOOL_BINARY=newer))
        self.assertIn("does not fit", self.refusal(PORTPOOL_BINARY="/bin/true"))


if __name__ == "__main__":
    unittest.main()
