"""What a module makes that is undone at exit: under `preload`, once, in the template."""

import atexit
import logging
import logging.handlers
import multiprocessing
import multiprocessing.process
import multiprocessing.util
import os
import tempfile
import threading
import weakref

import concurrent.futures.thread

_path = os.environ["EXITS"]


def _say(word):
    with open(_path, "a") as file:
        file.write(f"{word} {os.getpid()}\n")


class Anchor:
    pass


class Handler(logging.handlers.MemoryHandler):
    def __init__(self, word):
        super().__init__(1000)
        self.word = word
        logging.getLogger("ends_with_its_template").addHandler(self)

    def flush(self):
        for record in self.buffer:
            _say(f"{self.word}:{record.getMessage()}")
        self.buffer.clear()

    def close(self):
        _say(f"{self.word}:close")
        super().close()


def make(who):
    """Everything that is undone at exit."""
    anchor = Anchor()
    weakref.finalize(anchor, _say, f"{who}.finalize")
    atexit.register(_say, f"{who}.atexit")
    multiprocessing.util.Finalize(None, _say, (f"{who}.multiprocessing",), exitpriority=1)
    threading._register_atexit(_say, f"{who}.threading")
    handler = Handler(f"{who}.logging")
    directory, file = tempfile.TemporaryDirectory(), tempfile.NamedTemporaryFile()
    return [anchor, handler, directory, file]


_made = make("template")
_directory, _file = _made[2:]
_buffered = open(_path + ".buffered", "w")
_buffered.write("written by the template\n")
_own = []


def paths():
    return [os.path.exists(_directory.name), os.path.exists(_file.name)]


def names():
    return [_directory.name, _file.name]


def makes_its_own():
    _own.append(make("worker"))
    logging.getLogger("ends_with_its_template").warning("hello")
    concurrent.futures.ThreadPoolExecutor(1).submit(len, "").result()
    _buffered.write("written by a worker\n")
    return [os.getpid(), _own[0][2].name, _own[0][3].name]


def drops():
    """Lets go in the worker of what is the template's."""
    global _directory, _file
    names = [_directory.name, _file.name]
    _made.clear()
    _directory = _file = None
    return [os.path.exists(name) for name in names]


def daemon():
    return _child.pid


_child = None
if os.environ.get("WITH_A_CHILD"):
    _child = multiprocessing.get_context("fork").Process(target=threading.Event().wait, daemon=True)
    _child.start()
