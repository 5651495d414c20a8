"""Workers that do to the channel what they must not."""

import gc
import os
import socket
import struct
import time


def _channel():
    for name in os.listdir("/proc/self/fd"):
        try:
            if int(name) > 2 and os.readlink("/proc/self/fd/" + name).startswith("socket:"):
                return int(name)
        except OSError:
            pass
    raise LookupError("no channel")


def close():
    os.close(_channel())
    time.sleep(3600)


def half_close():
    socket.socket(fileno=os.dup(_channel())).shutdown(socket.SHUT_WR)
    time.sleep(3600)


def garbage():
    os.write(_channel(), b"print output that was never meant for you" * 3)
    time.sleep(3600)


def claims(length):
    os.write(_channel(), struct.pack("<IBBHQ", length, 2, 0, 0, 1))
    time.sleep(3600)


def half_a_frame(call, length):
    os.write(_channel(), struct.pack("<IBBHQ", length, 2, 0, 0, call) + b"\x80\x05")


def half_a_frame_and_stalls(call, length):
    half_a_frame(call, length)
    time.sleep(3600)


def half_a_frame_and_exits(call, length):
    half_a_frame(call, length)
    os._exit(3)


def answers_another_call():
    os.write(_channel(), struct.pack("<IBBHQ", 4, 2, 0, 0, 1 << 60) + b"\x80\x05N.")
    time.sleep(3600)


def answers_twice(call):
    os.write(_channel(), struct.pack("<IBBHQ", 4, 2, 0, 0, call) + b"\x80\x05N.")
    return "again"


def held_by_a_child_that_outlives_us():
    channel = _channel()
    if os.fork() == 0:
        os.setsid()
        gc.disable()
        time.sleep(3600)
    os.set_inheritable(channel, True)
    os._exit(9)
