"""Frames over a real socket pair, in pieces of every size."""

import os
import socket
import threading
import unittest

from portpool import _wire


class Frames(unittest.TestCase):
    def setUp(self) -> None:
        self.server, self.worker = socket.socketpair()
        self.addCleanup(self.server.close)
        self.addCleanup(self.worker.close)

    def send(self, *pieces: bytes) -> None:
        """Writes from another thread, so that large pieces cannot block this one."""

        def write() -> None:
            for piece in pieces:
                self.server.sendall(piece)

        thread = threading.Thread(target=write)
        thread.start()
        self.addCleanup(thread.join)

    def frame(self, body: bytes, call: int = 7) -> bytes:
        return _wire.HEADER.pack(len(body), _wire.CALL, 0, 0, call) + body

    def test_a_call_is_read_whole_however_it_is_cut(self) -> None:
        frame = self.frame(b"body")
        for cut in range(1, len(frame)):
            self.send(frame[:cut], frame[cut:])
            call, body = _wire.read_call(self.worker.fileno())
            self.assertEqual((call, bytes(body)), (7, b"body"))

    def test_a_large_call_is_read_whole(self) -> None:
        large = os.urandom(5_000_000)
        self.send(self.frame(large))
        call, body = _wire.read_call(self.worker.fileno())
        self.assertEqual((call, bytes(body)), (7, large))

    def test_an_empty_body_is_a_body(self) -> None:
        self.send(self.frame(b""))
        call, body = _wire.read_call(self.worker.fileno())
        self.assertEqual((call, bytes(body)), (7, b""))

    def test_the_end_of_the_channel_is_none(self) -> None:
        self.server.close()
        self.assertIsNone(_wire.read_call(self.worker.fileno()))

    def test_an_end_inside_a_frame_is_an_error(self) -> None:
        for part in (self.frame(b"body")[:10], self.frame(b"body")[:18]):
            server, worker = socket.socketpair()
            with worker:
                server.sendall(part)
                server.close()
                with self.assertRaises(_wire.ProtocolError):
                    _wire.read_call(worker.fileno())

    def test_a_frame_that_is_no_call_is_an_error(self) -> None:
        for header in (
            _wire.HEADER.pack(0, 9, 0, 0, 1),
            _wire.HEADER.pack(0, _wire.CALL, 1, 0, 1),
            _wire.HEADER.pack(0, _wire.CALL, 0, 1, 1),
        ):
            self.server.sendall(header)
            with self.assertRaises(_wire.ProtocolError):
                _wire.read_call(self.worker.fileno())

    def test_a_frame_of_many_chunks_is_written_whole(self) -> None:
        chunks = [os.urandom(size) for size in [0, 1, 3000, 70_000] * 400]
        body = b"".join(chunks)
        received = bytearray()

        def read() -> None:
            while len(received) < _wire.HEADER_SIZE + len(body):
                received.extend(self.server.recv(1 << 20))

        thread = threading.Thread(target=read)
        thread.start()
        _wire.write_frame(self.worker.fileno(), _wire.RESULT, 9, chunks, len(body))
        thread.join()
        self.assertEqual(bytes(received), _wire.HEADER.pack(len(body), _wire.RESULT, 0, 0, 9) + body)


if __name__ == "__main__":
    unittest.main()
