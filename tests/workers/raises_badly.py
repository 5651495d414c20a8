"""Exceptions and results that make trouble when they are looked at."""

import gc

import portpool


class _Unprintable(Exception):
    def __str__(self):
        raise RuntimeError("no words")


class _Hostile:
    def __reduce__(self):
        raise ZeroDivisionError("in the encoder")

    def __del__(self):
        raise RuntimeError("in __del__")


class _Unspeakable:
    pass


@portpool.encoder(_Unspeakable)
def _encode(value):
    raise ZeroDivisionError("in the encoder")


def unprintable():
    raise _Unprintable


def long(megabytes):
    raise ValueError("x" * (megabytes << 20))


def surrogates():
    raise ValueError("\udcff\x00")


def in_the_encoder():
    return [1, _Hostile()]


def in_an_encoder_of_its_own():
    return [1, _Unspeakable()]


def in_del():
    _Hostile()
    return "fine"


def in_a_gc_callback():
    def callback(phase, info):
        gc.callbacks.remove(callback)
        raise RuntimeError("in a gc callback")

    gc.callbacks.append(callback)
    gc.collect()
    return "fine"
