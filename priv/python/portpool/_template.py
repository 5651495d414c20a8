"""The template: imports once, then forks a worker each time the server asks for one. docs/worker_protocol.md 5."""

from __future__ import annotations

import gc
import os
import socket
import sys
from struct import Struct

from portpool import _copies, _lines, _process, _signals, _start, _stop, _wire, _worker
from portpool import _reducers as _reducers  # So that no worker has to import it.
from portpool._codec import dumps
from portpool._generators import Generators
from portpool._identity import Identity
from portpool._inherited import Inherited
from portpool._numeric import NumericThreads

TYPE_CHECKING = False  # see _boot.py
if TYPE_CHECKING:
    from typing import Any

    from portpool._wire import Channel

# The worker's ends of its channel, its stdout and its stderr.
_DESCRIPTORS = 4
_Descriptor = Struct("i")
# Devices whose driver does not survive a fork.
_GPUS = ("/dev/nvidia", "/dev/kfd", "/dev/dri")


def serve(channel: Channel, order: dict[str, Any]) -> None:
    """Import, say hello, and fork until the server closes the channel. In a worker, this returns at the end of its life."""
    identity = Identity()
    with Generators() as generators:
        _start.attempt(channel, order, _start.import_all)
        generators.find()
    numeric = NumericThreads(order["numeric_threads"])
    reason = identity.trouble or unfit()
    if reason:
        _worker.send(channel[1], 0, (_wire.UNFIT, dumps({"message": reason})), order["max_frame"])
        return
    flush()
    gc.collect()
    inherited = Inherited()
    gc.freeze()  # What is imported stays out of the way of collections, whose marks would unshare its pages.
    _worker.send(channel[1], 0, (_wire.HELLO, dumps(_worker.hello())), order["max_frame"])
    orders = socket.socket(fileno=channel[0])
    fork = next_fork(orders, channel[1])
    if fork is None:
        orders.close()
    else:
        orders.detach()  # A worker has nothing of the template's: its channel was closed at the fork.
        become_worker(fork, order, inherited, identity, generators, numeric)
    gc.unfreeze()  # So that modules are taken apart at the end: files that they hold are written then.


def unfit() -> str | None:
    """Return why this process cannot fork workers, if it cannot."""
    threads = os.listdir("/proc/self/task")
    if len(threads) > 1:
        return f"after preload and warmup it has {len(threads)} threads, and a fork keeps only one: {_names(threads)}"
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink("/proc/self/fd/" + descriptor)
        except OSError:
            continue  # It was the one that listed the folder.
        if target.startswith(_GPUS):
            return f"preload or warmup has opened {target}, and a GPU does not survive a fork"
    return None


def _names(threads: list[str]) -> str:
    names = []
    for thread in threads:
        with open(f"/proc/self/task/{thread}/comm", "rb") as file:
            names.append(file.read().decode(errors="replace").strip())
    return ", ".join(names)


def flush() -> None:
    """Flush all buffers, or each worker would write their contents again."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    import ctypes

    ctypes.CDLL(None).fflush(None)


class Fork:
    """What a new worker gets: its number, its descriptors, and a pipe whose end tells it to continue."""

    __slots__ = ("descriptors", "go", "worker")

    def __init__(self, worker: int, descriptors: list[int], go: int) -> None:
        self.worker = worker
        self.descriptors = descriptors
        self.go = go


def next_fork(orders: socket.socket, answers: int) -> Fork | None:
    """Fork for as long as the server asks. Returns in each worker, and returns None when the template must end."""
    while True:
        frame = receive(orders)
        if frame is None:
            return None
        worker, descriptors = frame
        try:
            fork = fork_twice(answers, worker, descriptors)
        except OSError as error:
            _answer(answers, worker, _wire.UNFIT, {"message": f"it cannot fork: {error}"})
            return None
        if fork is not None:
            return fork
        for descriptor in descriptors:
            os.close(descriptor)


def receive(orders: socket.socket) -> tuple[int, list[int]] | None:
    """Wait for the next fork frame: the number of the worker and its descriptors; None when the channel is closed."""
    # Not `socket.recv_fds`, which imports a module when it is called: see _stdlib.py.
    room = socket.CMSG_SPACE(_DESCRIPTORS * _Descriptor.size)
    data, ancillary, _, _ = orders.recvmsg(_wire.HEADER_SIZE, room, socket.MSG_CMSG_CLOEXEC)
    descriptors = [number for _, _, packed in ancillary for (number,) in _Descriptor.iter_unpack(packed)]
    if not data:
        return None
    while len(data) < _wire.HEADER_SIZE:
        data += orders.recv(_wire.HEADER_SIZE - len(data))
    length, kind, flags, buffers, worker = _wire.HEADER.unpack(data)
    if (length, kind, flags, buffers, len(descriptors)) != (0, _wire.FORK, 0, 0, _DESCRIPTORS):
        raise _wire.ProtocolError(f"a frame of kind {kind}, length {length}, with {len(descriptors)} descriptors")
    return worker, descriptors


def _answer(answers: int, worker: int, kind: int, fields: dict[str, Any]) -> None:
    chunks = dumps(fields)
    _wire.write_frame(answers, kind, worker, chunks, sum(map(len, chunks)))


def fork_twice(answers: int, worker: int, descriptors: list[int]) -> Fork | None:
    """Fork a worker that becomes a child of the server, because its parent, a process in between, ends at once.

    Returns in the template, once the server has the worker's pid, and in the worker.
    """
    go, gone = os.pipe()
    said, say = os.pipe()
    between = _signals.fork()
    if between == 0:
        _in_between(say)
        os.close(gone)
        os.close(said)
        os.close(say)
        return Fork(worker, descriptors, go)
    os.close(say)
    with open(said, "rb") as file:
        pid = file.read()
    _, status = os.waitpid(between, 0)
    # Now the worker is the server's child. It waits for the end of this pipe, and looks then.
    os.close(gone)
    os.close(go)
    if not pid:
        raise OSError(os.waitstatus_to_exitcode(status), os.strerror(os.waitstatus_to_exitcode(status)))
    _answer(answers, worker, _wire.FORKED, {"pid": int(pid)})
    return None


def _in_between(say: int) -> None:
    """Fork again, report the pid and end. Returns only in the worker."""
    status = 0
    try:
        pid = _signals.fork()
        if pid == 0:
            return
        os.write(say, b"%d" % pid)
    except OSError as error:
        status = error.errno or 1
    os._exit(status)


def become_worker(
    fork: Fork,
    order: dict[str, Any],
    inherited: Inherited,
    identity: Identity,
    generators: Generators,
    numeric: NumericThreads,
) -> None:
    """Turn a copy of the template into a worker, and serve."""
    os.setpgid(0, 0)
    os.read(fork.go, 1)
    os.close(fork.go)
    _process.die_with(order["parent"])
    orders, answers, stdout, stderr = fork.descriptors
    channel = (orders, answers)
    _copies.take(channel)
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    os.close(stdout)
    os.close(stderr)
    _lines.are_others()

    def differ(order: dict[str, Any], stage: _start.Stage) -> None:
        stage.name = "the fork"
        inherited.drop()
        _start.at_exit()
        _stop.get_ready()
        identity.become(fork.worker)
        generators.reseed()
        numeric.restore()

    _start.attempt(channel, order, differ)
    _start.attempt(channel, order, _start.make_ready)
    _start.serve_calls(channel, order)
