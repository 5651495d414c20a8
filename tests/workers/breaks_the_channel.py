"""Workers that do to the channel what they must not."""

import fcntl
import gc
import os
import struct
import time


def _end(access):
    for name in os.listdir("/proc/self/fd"):
        try:
            if int(name) > 2 and os.readlink("/proc/self/fd/" + name).startswith("pipe:"):
                if fcntl.fcntl(int(name), fcntl.F_GETFL) & os.O_ACCMODE == access:
                    return int(name)
        except OSError:
            pass
    raise LookupError("no channel")


def _orders():
    return _end(os.O_RDONLY)


def _answers():
    return _end(os.O_WRONLY)


def close():
    os.close(_orders())
    os.close(_answers())
    time.sleep(3600)


def half_close():
    os.close(_answers())
    time.sleep(3600)


def listens_no_more():
    os.close(_orders())


def garbage():
    os.write(_answers(), b"print output that was never meant for you" * 3)
    time.sleep(3600)


def claims(length):
    os.write(_answers(), struct.pack("<IBBHQ", length, 2, 0, 0, 1))
    time.sleep(3600)


def half_a_frame(call, length):
    os.write(_answers(), struct.pack("<IBBHQ", length, 2, 0, 0, call) + b"\x80\x05")


def half_a_frame_and_stalls(call, length):
    half_a_frame(call, length)
    time.sleep(3600)


def half_a_frame_and_exits(call, length):
    half_a_frame(call, length)
    os._exit(3)


def answers_another_call():
    os.write(_answers(), struct.pack("<IBBHQ", 4, 2, 0, 0, 1 << 60) + b"\x80\x05N.")
    time.sleep(3600)


def answers_twice(call):
    os.write(_answers(), struct.pack("<IBBHQ", 4, 2, 0, 0, call) + b"\x80\x05N.")
    return "again"


def held_by_a_child_that_outlives_us():
    ends = [_orders(), _answers()]
    if os.fork() == 0:
        os.setsid()
        gc.disable()
        time.sleep(3600)
    for end in ends:
        os.set_inheritable(end, True)
    os._exit(9)
