"""What the benchmark calls, through Portpool and through its peers."""

import os
import signal
import socket
import time


def echo(value):
    return value


def nap(seconds):
    time.sleep(seconds)
    return seconds


def hold(port):
    """Keeps this worker busy until the one who listens there, and is told its pid, closes the connection."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"%d\n" % os.getpid())
        connection.recv(1)


def die():
    os.kill(os.getpid(), signal.SIGKILL)
    # The signal may come a moment later than the return.
    signal.pause()
