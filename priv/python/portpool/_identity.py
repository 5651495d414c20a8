"""The token by which the server recognises a worker's processes, in a forked worker. docs/worker_protocol.md 5."""

from __future__ import annotations

import os

_VARIABLE = "PORTPOOL_WORKER"
_DIGITS = 20


class Identity:
    """The place of the token in this process's environment.

    /proc shows the environment memory that the program was started with, whatever `os.environ` says later. So the number in it always
    has the same width and is overwritten in place.
    """

    __slots__ = ("_address", "_token", "trouble")

    def __init__(self) -> None:
        """Create this before anybody sets a variable; after that, the C library's table may point elsewhere."""
        self.trouble = None
        self._token = os.environ.get(_VARIABLE, "").encode()
        self._address = None
        if not self._token:
            self.trouble = f"the variable {_VARIABLE} is not in its environment: what the option python names has removed it"
            return
        try:
            import ctypes
        except ImportError:
            self.trouble = "this Python has no ctypes, without which a fork cannot be made a worker"
            return
        getenv = ctypes.CDLL(None).getenv
        getenv.restype = ctypes.c_void_p
        self._address = getenv(_VARIABLE.encode())

    def become(self, worker: int) -> None:
        """Mark this process, and its future children, as the worker's."""
        import ctypes

        server = self._token.partition(b".")[0]
        token = b"%s.%0*d" % (server, _DIGITS, worker)
        # Somebody may have used that memory for something else: setproctitle does.
        if self._address and ctypes.string_at(self._address, len(self._token)) == self._token:
            ctypes.memmove(self._address, token, len(token))
        os.environ[_VARIABLE] = token.decode()
