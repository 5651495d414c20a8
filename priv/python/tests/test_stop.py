"""An interrupt hits the call that it is meant for, once, and no other."""

import os
import pickle
import signal
import unittest

from portpool import _signals, _stop, _wire, _worker


def name(call: int) -> None:
    """What the server does before it sends the signal."""
    os.pwrite(_stop._file, call.to_bytes(8, "little"), 0)


def interrupts(times: int) -> int:
    """A function that is interrupted while it runs; how often it saw that."""
    seen = 0
    for _ in range(times):
        try:
            os.kill(os.getpid(), signal.SIGINT)
        except KeyboardInterrupt:
            seen += 1
    return seen


class Interrupts(unittest.TestCase):
    def setUp(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
            self.addCleanup(signal.signal, number, signal.getsignal(number))
        _signals.take()
        _stop.get_ready()

    def answer(self, call: int) -> object:
        body = pickle.dumps((__name__, "interrupts", (3,), None))
        kind, chunks = _worker.answer(body, (), call)
        self.assertEqual(kind, _wire.RESULT)
        return pickle.loads(b"".join(map(bytes, chunks)))

    def test_the_call_that_is_meant_is_interrupted_once(self) -> None:
        name(7)
        self.assertEqual(self.answer(7), 1)

    def test_another_call_is_not(self) -> None:
        name(7)
        self.assertEqual(self.answer(8), 0)

    def test_nobody_is_between_calls(self) -> None:
        name(0)
        self.assertEqual(interrupts(1), 0)
        name(7)
        self.assertEqual(interrupts(1), 0)

    def test_a_worker_whose_file_was_closed_is_not_interrupted(self) -> None:
        name(7)
        os.close(_stop._file)
        self.addCleanup(setattr, _stop, "_file", -1)
        self.assertEqual(self.answer(7), 0)


if __name__ == "__main__":
    unittest.main()
