"""The worker of two_hop_echo.rs: sends each packet, four bytes of length and the rest, back as it came. Its channel is its stdin."""

import socket

#: What is read at once; most packets are shorter.
READ = 1 << 16


def echo(channel):
    while True:
        packet = channel.recv(READ)
        if not packet:
            return
        if len(packet) != length(packet):
            packet = rest(channel, packet)
        channel.sendall(packet)


def length(packet):
    return 4 + int.from_bytes(packet[:4], "big")


def rest(channel, start):
    """Reads the rest of a packet whose first bytes, four at least, have come."""
    packet = bytearray(length(start))
    packet[: len(start)] = start
    view, done = memoryview(packet), len(start)
    while done < len(packet):
        come = channel.recv_into(view[done:])
        if not come:
            raise EOFError("half a packet")
        done += come
    return packet


echo(socket.socket(fileno=0))
