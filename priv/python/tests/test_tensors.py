"""Tensors without numpy, and the arrays and scalars of numpy where it is installed."""

from __future__ import annotations

import subprocess
import sys
import unittest
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PACKAGE))

import portpool
from portpool import Tensor, _codec, _say

try:
    import numpy
except ImportError:
    numpy = None  # type: ignore[assignment]

HALVES = Tensor(("bf", 16), (2, 1), b"abcd")


def through(value: Any) -> Any:
    """What a value is once it has been pickled: the server sees no more of it."""
    return _codec.loads(b"".join(_codec.dumps(value)))


class Tensors(unittest.TestCase):
    def test_a_tensor_has_data_of_the_size_of_its_type_and_shape(self) -> None:
        self.assertEqual((HALVES.type, HALVES.shape, HALVES.data), (("bf", 16), (2, 1), b"abcd"))
        self.assertEqual(repr(HALVES), "<portpool.Tensor bf16 (2, 1)>")
        with self.assertRaisesRegex(ValueError, "has 32 bits, not 3 bytes"):
            Tensor(("bf", 16), (2, 1), b"abc")

    def test_a_tensor_of_a_type_that_numpy_does_not_have_stays_one(self) -> None:
        self.assertEqual(through([HALVES]), [HALVES])
        self.assertNotEqual(HALVES, Tensor(("bf", 16), (1, 2), b"abcd"))
        with self.assertRaises(TypeError):
            hash(HALVES)

    def test_without_numpy_every_tensor_is_a_tensor(self) -> None:
        script = (
            f"import sys; sys.path.insert(0, {str(PACKAGE)!r}); sys.modules['numpy'] = None; import portpool; "
            "print(portpool._tensor('f', 32, (1,), b'abcd'))"
        )
        run = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True)
        self.assertEqual(run.stdout, "<portpool.Tensor f32 (1,)>\n")


@unittest.skipIf(numpy is None, "numpy is not installed")
class Arrays(unittest.TestCase):
    def refusal(self, value: Any) -> _codec.Unencodable:
        with self.assertRaises(_codec.Unencodable) as caught:
            _codec.dumps([value])
        self.assertEqual(caught.exception.path, "element 1")
        return caught.exception

    def test_a_tensor_is_an_array_over_its_very_bytes(self) -> None:
        data = bytes(range(48))
        array = portpool._tensor("f", 64, (2, 3), data)
        self.assertEqual((array.dtype, array.shape, array.flags.writeable), (numpy.dtype("<f8"), (2, 3), False))
        self.assertIs(array.base, data)

    def test_arrays_come_through_whatever_the_order_of_their_bytes(self) -> None:
        rows = numpy.arange(24, dtype="i2").reshape(2, 3, 4)
        for array in (
            rows,
            rows.T,
            rows[:, ::2],
            rows[::-1],
            rows.astype(">i2"),
            numpy.array(3.5),
            numpy.zeros((0, 3)),
            numpy.array([1 + 2j]),
            numpy.float16([float("nan"), float("inf")]),
            rows.view(type("Sub", (numpy.ndarray,), {})),
            numpy.broadcast_to(numpy.int8(1), (2, 2)),
        ):
            result = through(array)
            numpy.testing.assert_array_equal(result, array)
            self.assertEqual((result.shape, result.dtype), (array.shape, array.dtype.newbyteorder("<")))

    def test_large_arrays_are_passed_on_uncopied(self) -> None:
        array = numpy.arange(1 << 18, dtype="f4")
        chunks = _codec.dumps([array, "tail"])
        self.assertTrue(any(numpy.shares_memory(numpy.frombuffer(chunk, "B"), array) for chunk in chunks))
        self.assertEqual(sum(map(len, chunks)), len(b"".join(chunks)))

    def test_bools_are_of_u8(self) -> None:
        self.assertEqual(through(numpy.array([True, False])).tolist(), [1, 0])

    def test_scalars_are_plain_values(self) -> None:
        values = [numpy.float64(1.5), numpy.float16(0.5), numpy.int8(-3), numpy.uint64(2**63), numpy.bool_(True)]
        values += [numpy.str_("a"), numpy.bytes_(b"b")]
        result = through(values)
        self.assertEqual(result, [1.5, 0.5, -3, 2**63, True, "a", b"b"])
        self.assertEqual([type(value) for value in result], [float, float, int, int, bool, str, bytes])
        self.assertEqual(through({numpy.int64(3): 1}), {3: 1})

    def test_what_no_tensor_can_hold_is_refused_with_what_to_do(self) -> None:
        for array in (
            numpy.array(["a"]),
            numpy.array([object()]),
            numpy.array(["2024"], dtype="M8[D]"),
            numpy.zeros(2, dtype="i4,i4"),
            numpy.zeros(1, dtype="longdouble"),
        ):
            self.assertIn("tolist()", self.refusal(array).message)
        self.assertIn("filled()", self.refusal(numpy.ma.array([1])).message)
        for scalar in (
            numpy.datetime64("2024"),
            numpy.timedelta64(1, "s"),
            numpy.complex64(1),
            numpy.longdouble(1),
            numpy.void(b"a"),
        ):
            self.assertEqual(self.refusal(scalar).type_name, _say.type_name(type(scalar)))


if __name__ == "__main__":
    unittest.main()
