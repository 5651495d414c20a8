"""Arrays of numpy."""

import numpy


def about(array):
    return [type(array).__name__, str(array.dtype), array.shape, array.flags.writeable, array.tolist()]


def over_bytes(array):
    return type(array.base) is bytes


def in_order(order):
    rows = numpy.arange(6, dtype="i4").reshape(2, 3)
    return {
        "rows": rows,
        "columns": numpy.asfortranarray(rows),
        "big_endian": rows.astype(">i4"),
        "strided": numpy.repeat(rows, 2, axis=1)[:, ::2],
    }[order]


def bools():
    return numpy.array([True, False])


def nothing():
    return numpy.zeros((0, 3))


def nan():
    return numpy.array(float("nan"), dtype="f4")


def scalars():
    return [
        numpy.float64(1.5),
        numpy.float32(0.5),
        numpy.int8(-3),
        numpy.bool_(True),
        numpy.str_("a"),
        {numpy.int64(3): numpy.float16(2)},
    ]


def scalar_nan():
    return [1, numpy.float64("nan")]


def of_text():
    return {"names": numpy.array(["a", "b"])}
