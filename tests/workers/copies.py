"""Hands its arguments to processes and files of its own, as users do."""

import copy
import io
import json
import multiprocessing
import operator
import pickle
import shelve


def in_a_process(method, value):
    """The value as a process sees it that Python starts in this way."""
    with multiprocessing.get_context(method).Pool(1) as pool:
        return pool.apply(operator.itemgetter(0), ([value],))


def in_a_queue(value):
    queue = multiprocessing.get_context("spawn").SimpleQueue()
    queue.put(value)
    return queue.get()


def on_a_shelf(path, value):
    with shelve.open(path) as shelf:
        shelf["value"] = value
    with shelve.open(path) as shelf:
        return shelf["value"]


def names_us(value):
    """Whether a pickle of any protocol, by either pickler, names this package or a code of the registry."""
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        file = io.BytesIO()
        pickle._Pickler(file, protocol).dump(value)
        for written in (pickle.dumps(value, protocol), file.getvalue()):
            if b"portpool" in written or b"\x84\x00\x00pp" in written:
                return True
    return False


def deep(value):
    copied = copy.deepcopy(value)
    return copied == value and repr(copied) == repr(value) and type(copied[0]) is type(value[0])


def as_json(value):
    return json.dumps(value)
