"""Frames over a real socket pair, which is both ends of a channel at once, in pieces of every size."""

import os
import pickle
import socket
import threading
import tracemalloc
import unittest

from portpool import _wire, _worker


class Frames(unittest.TestCase):
    def setUp(self) -> None:
        self.server, self.worker = socket.socketpair()
        self.channel = (self.worker.fileno(), self.worker.fileno())
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
        return (_wire.HEADER.pack(len(body), _wire.CALL, 0, 0, call) + body).ljust(_wire.SHORT, b"\0")

    def test_a_call_is_read_whole_however_it_is_cut(self) -> None:
        for sent in (b"body", bytes(480), bytes(481), os.urandom(496), os.urandom(497), os.urandom(2000)):
            frame = self.frame(sent)
            for cut in range(1, len(frame), 1 if len(frame) <= _wire.SHORT else 37):
                self.send(frame[:cut], frame[cut:])
                call, body, _ = _wire.read_call(self.channel, _wire.wait_for(self.channel))
                self.assertEqual((call, bytes(body)), (7, sent))

    def test_a_short_call_is_read_and_nothing_behind_it(self) -> None:
        self.server.sendall(self.frame(b"one", 1) + self.frame(b"two", 2) + self.frame(os.urandom(3000), 3))
        for number in (1, 2):
            call, _, _ = _wire.read_call(self.channel, _wire.wait_for(self.channel))
            left = self.worker.recv(100_000, socket.MSG_PEEK)
            self.assertEqual((call, len(left)), (number, (2 - number) * _wire.SHORT + 3016))

    def test_a_call_that_was_taken_back_is_waited_for_again(self) -> None:
        waits = []

        def wait() -> None:
            waits.append(None)
            if len(waits) == 3:
                self.server.sendall(self.frame(b"body"))

        _wire.wait_for(self.channel)
        call, _, _ = _wire.read_call(self.channel, wait)
        self.assertEqual((call, len(waits)), (7, 3))

    def test_pings_on_the_way_are_answered_however_they_are_cut(self) -> None:
        ping = _wire.HEADER.pack(0, _wire.PING, 0, 0, 0).ljust(_wire.SHORT, b"\0")
        pong = _wire.HEADER.pack(0, _wire.PONG, 0, 0, 0)
        sent = ping + ping + self.frame(b"body")
        for cut in range(1, len(sent), 7):
            self.send(sent[:cut], sent[cut:])
            call, body, _ = _wire.read_call(self.channel, _wire.wait_for(self.channel))
            self.assertEqual((call, bytes(body)), (7, b"body"))
            self.assertEqual(self.server.recv(len(pong) * 2, socket.MSG_WAITALL), pong * 2)

    def test_a_ping_with_a_body_is_refused(self) -> None:
        self.send((_wire.HEADER.pack(1, _wire.PING, 0, 0, 0) + b"x").ljust(_wire.SHORT, b"\0"))
        with self.assertRaises(_wire.ProtocolError):
            _wire.read_call(self.channel, _wire.wait_for(self.channel))

    def test_a_large_call_is_read_whole(self) -> None:
        large = os.urandom(5_000_000)
        self.send(self.frame(large))
        call, body, _ = _wire.read_call(self.channel, _wire.wait_for(self.channel))
        self.assertEqual((call, bytes(body)), (7, large))

    def test_an_empty_body_is_a_body(self) -> None:
        self.send(self.frame(b""))
        call, body, _ = _wire.read_call(self.channel, _wire.wait_for(self.channel))
        self.assertEqual((call, bytes(body)), (7, b""))

    def test_the_end_of_the_channel_is_none(self) -> None:
        self.server.close()
        self.assertIsNone(_wire.read_call(self.channel, _wire.wait_for(self.channel)))

    def test_an_end_inside_a_frame_is_an_error(self) -> None:
        for part in (self.frame(b"body")[:10], self.frame(b"body")[:18]):
            server, worker = socket.socketpair()
            with worker:
                server.sendall(part)
                server.close()
                with self.assertRaises(_wire.ProtocolError):
                    _wire.read_call((worker.fileno(), worker.fileno()), list)

    def test_a_frame_that_is_no_call_is_an_error(self) -> None:
        for header in (
            _wire.HEADER.pack(0, 9, 0, 0, 1),
            _wire.HEADER.pack(0, _wire.CALL, 1, 0, 1),
        ):
            self.server.sendall(header.ljust(_wire.SHORT, b"\0"))
            with self.assertRaises(_wire.ProtocolError):
                _wire.read_call(self.channel, _wire.wait_for(self.channel))

    def with_buffers(self, pickle: bytes, *buffers: bytes) -> bytes:
        table = b"".join(len(buffer).to_bytes(8, "little") for buffer in buffers)
        body = b"".join([table, pickle, *buffers])
        return _wire.HEADER.pack(len(body), _wire.CALL, 0, len(buffers), 7) + body  # never a short frame

    def test_buffers_are_read_whole_however_they_are_cut(self) -> None:
        frame = self.with_buffers(b"pickle", b"one", b"", b"three")
        for cut in range(1, len(frame)):
            self.send(frame[:cut], frame[cut:])
            call, body, buffers = _wire.read_call(self.channel, _wire.wait_for(self.channel))
            self.assertEqual((call, bytes(body), buffers), (7, b"pickle", [b"one", b"", b"three"]))

    def test_large_buffers_are_bytes_and_never_copied(self) -> None:
        large = [os.urandom(8_000_000), os.urandom(3_000_000), os.urandom(70_000)]
        for head in (b"p", bytes(200_000)):
            self.send(self.with_buffers(head, *large))
            tracemalloc.start()
            _, body, buffers = _wire.read_call(self.channel, _wire.wait_for(self.channel))
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            self.assertEqual((bytes(body), buffers), (head, large))
            self.assertTrue(all(type(buffer) is bytes for buffer in buffers))
            self.assertLess(peak, sum(map(len, large)) + 2_000_000)

    def test_a_function_gets_the_very_same_object(self) -> None:
        call = b"\x80\x05(\x8c\x08builtins\x8c\x02id(\x97tNt."
        self.send(self.with_buffers(call, bytes(100_000)))
        _, body, buffers = _wire.read_call(self.channel, _wire.wait_for(self.channel))
        kind, chunks = _worker.answer(body, buffers)
        self.assertEqual((kind, pickle.loads(b"".join(chunks))), (_wire.RESULT, id(buffers[0])))

    def test_buffers_that_are_larger_than_the_body_are_an_error(self) -> None:
        table = (100).to_bytes(8, "little")
        self.server.sendall(_wire.HEADER.pack(8 + 99, _wire.CALL, 0, 1, 1) + table)
        with self.assertRaises(_wire.ProtocolError):
            _wire.read_call(self.channel, _wire.wait_for(self.channel))

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
