"""One call in, one reply out: what the loop answers, whatever the function does."""

import os
import pickle
import sys
import types
import unittest
from typing import Any

from portpool import _errors, _wire, _worker


def answer(module: str, function: str, *args: Any, **kwargs: Any) -> Any:
    """The kind of the reply, and its value."""
    kind, chunks = _worker.answer(pickle.dumps((module, function, args, kwargs or None)))
    return kind, pickle.loads(b"".join(map(bytes, chunks)))


class Hostile(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text for you")


class Endless(Exception):
    def __str__(self) -> str:
        return "x" * 10_000_000


def raises(kind: str) -> None:
    raise {"hostile": Hostile, "endless": Endless}[kind]("!")


def recurses() -> None:
    recurses()


def nested() -> Any:
    return {"stops": [1, object()]}


def surrogates() -> None:
    raise ValueError("\ud800")


class Answers(unittest.TestCase):
    def test_results(self) -> None:
        self.assertEqual(answer("operator", "add", 1, 2), (_wire.RESULT, 3))
        self.assertEqual(answer("builtins", "str.upper", "a"), (_wire.RESULT, "A"))
        self.assertEqual(answer("builtins", "sorted", [1, 2], reverse=True), (_wire.RESULT, [2, 1]))

    def test_a_module_may_rebind_its_functions(self) -> None:
        self.addCleanup(setattr, os, "fsencode", os.fsencode)
        self.assertEqual(answer("os", "fsencode", "a"), (_wire.RESULT, b"a"))
        os.fsencode = lambda _: "bound anew"  # type: ignore[assignment, misc]
        self.assertEqual(answer("os", "fsencode", "a"), (_wire.RESULT, "bound anew"))

    def test_undef(self) -> None:
        for module, function, args, says in (
            ("nowhere", "f", (), "there is no module nowhere"),
            ("", "f", (), "the name of the module is empty"),
            ("math", "", (), "math has no function "),
            ("math", "sqrt..x", (), "math has no function sqrt..x"),
            ("math", "pi", (), "math.pi is not a function but a float"),
        ):
            kind, fields = answer(module, function, *args)
            self.assertEqual(kind, _wire.UNDEF, fields)
            self.assertIn(says, fields["message"])

    def test_a_type_error_from_inside_is_no_wrong_arity(self) -> None:
        kind, fields = answer("operator", "add", 1, "a")
        self.assertEqual((kind, fields["type"]), (_wire.RAISED, "TypeError"))

    def test_hostile_exceptions_are_told_safely(self) -> None:
        kind, fields = answer(__name__, "raises", "hostile")
        self.assertEqual(kind, _wire.RAISED)
        self.assertIn("cannot be printed", fields["message"])
        kind, fields = answer(__name__, "raises", "endless")
        self.assertEqual(kind, _wire.RAISED)
        self.assertLess(len(fields["message"]), 10_000)
        self.assertLess(len(fields["traceback"]), 70_000)
        self.assertIn("characters left out", fields["message"])

    def test_a_deep_recursion_shows_both_ends_of_its_stack(self) -> None:
        kind, fields = answer(__name__, "recurses")
        self.assertEqual((kind, fields["type"]), (_wire.RAISED, "RecursionError"))
        self.assertEqual(len(fields["frames"]), 100)

    def test_text_that_is_no_utf_8_is_escaped(self) -> None:
        kind, fields = answer(__name__, "surrogates")
        self.assertEqual((kind, fields["message"]), (_wire.RAISED, "ValueError: \\ud800"))

    def test_names_that_are_no_utf_8_do_not_spoil_an_error(self) -> None:
        path = "/no/such/folder/\udcff"
        sys.path.append(path)
        self.addCleanup(sys.path.remove, path)
        kind, fields = answer("nowhere", "f")
        self.assertEqual(kind, _wire.UNDEF)
        self.assertIn("/no/such/folder/\\udcff", fields["hint"])
        code = compile("def f():\n raise ValueError('in an odd file')\n", "/odd/\udcff.py", "exec")
        module = types.ModuleType("odd")
        exec(code, module.__dict__)
        sys.modules["odd"] = module
        self.addCleanup(sys.modules.pop, "odd")
        kind, fields = answer("odd", "f")
        self.assertEqual((kind, fields["message"]), (_wire.RAISED, "ValueError: in an odd file"))
        self.assertEqual(fields["frames"][-1]["file"], "/odd/\\udcff.py")

    def test_an_error_larger_than_a_frame_keeps_what_matters_most(self) -> None:
        fields = _errors.shortened(answer(__name__, "recurses")[1], 1024)
        self.assertEqual((fields["type"], fields["frames"]), ("RecursionError", []))
        self.assertTrue(fields["message"].startswith("RecursionError"), fields)
        self.assertLess(len(pickle.dumps(fields)), 1024)

    def test_a_result_without_a_form_tells_its_path_and_type(self) -> None:
        kind, fields = answer("builtins", "object")
        self.assertEqual((kind, fields["path"], fields["type"]), (_wire.UNENCODABLE, "", "object"))
        kind, fields = answer(__name__, "nested")
        self.assertEqual((kind, fields["path"], fields["type"]), (_wire.UNENCODABLE, 'key "stops", element 2', "object"))


if __name__ == "__main__":
    unittest.main()
