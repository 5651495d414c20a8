"""Workers that write where others read."""

import ctypes
import os
import subprocess
import sys
import time
import warnings


def everywhere():
    print("from print")
    print("Привет!")
    os.write(1, b"from os.write\n")
    os.write(1, b"\x00\x00\x00\x05hello\xff\xfe\n")
    libc = ctypes.CDLL(None)
    libc.puts(b"from C")
    libc.fflush(None)
    subprocess.run(["sh", "-c", "echo from a child; echo and its stderr >&2"], check=True)
    warnings.warn("from warnings")
    print("without end of line", end="", flush=True)
    return "fine"


def much(megabytes):
    line = b"x" * 99 + b"\n"
    for _ in range(megabytes):
        sys.stdout.buffer.write(line * 10_000)
    return "fine"


def reads_stdin():
    return [sys.stdin.read(), subprocess.run(["cat"], stdout=subprocess.PIPE).stdout.decode()]


def says_and_waits():
    print("it runs", flush=True)
    while True:
        time.sleep(3600)
