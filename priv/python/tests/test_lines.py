"""What `print` writes, as it arrives in the log pipe."""

import io
import os
import unittest

from portpool import _lines


class Lines(unittest.TestCase):
    def setUp(self) -> None:
        self.read, self.written = os.pipe()
        self.addCleanup(os.close, self.read)
        self.addCleanup(os.close, self.written)
        pipe = _lines._Pipe(self.written, "wb", closefd=False)
        pipe.pipe = _lines._identity(self.written)
        self.out = io.TextIOWrapper(io.BufferedWriter(pipe), encoding="utf-8", line_buffering=True)
        self.addCleanup(_lines.current.__setitem__, 0, 0)

    def written_by(self, call: int, *texts: str) -> bytes:
        _lines.current[0] = call
        for text in texts:
            self.out.write(text)
        self.out.flush()
        return os.read(self.read, 1 << 16)

    def test_each_line_says_which_call_has_begun_it(self) -> None:
        self.assertEqual(self.written_by(7, "one\n"), b"\x1e7\x1fone\n")
        self.assertEqual(self.written_by(7, "one\ntwo\n\n"), b"\x1e7\x1fone\n\x1e7\x1ftwo\n\x1e7\x1f\n")
        self.assertEqual(self.written_by(8, "a\rb"), b"\x1e8\x1fa\rb")
        self.assertEqual(self.written_by(8, "c\n", "d\n"), b"c\n\x1e8\x1fd\n")

    def test_between_calls_lines_are_as_they_are(self) -> None:
        self.assertEqual(self.written_by(0, "one\ntwo\n"), b"one\ntwo\n")

    def test_a_line_belongs_to_the_call_that_has_begun_it(self) -> None:
        self.written_by(3, "it be")
        self.assertEqual(self.written_by(4, "gan\nnext\n"), b"gan\n\x1e4\x1fnext\n")

    def test_a_file_in_its_place_is_not_marked(self) -> None:
        reads, writes = os.pipe()
        self.addCleanup(os.close, reads)
        os.dup2(writes, self.written)
        os.close(writes)
        _lines.current[0] = 7
        self.out.write("one\n")
        self.assertEqual(os.read(reads, 100), b"one\n")


if __name__ == "__main__":
    unittest.main()
