"""The number of threads of numeric libraries: one in the template, which must have a single thread, and the pool's number in workers."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # see _boot.py
if TYPE_CHECKING:
    from typing import Any

# What threadpoolctl calls the libraries, and the variable that tells them.
_LIBRARIES = {"openmp": "OMP_NUM_THREADS", "blas": "OPENBLAS_NUM_THREADS"}


class NumericThreads:
    """The values of the variables in workers, and a handle on the libraries that the template has loaded.

    Libraries read their variables when they are loaded, so setting them later only affects child processes. threadpoolctl, if
    installed, changes those already loaded; without it they keep one thread.
    """

    __slots__ = ("_controller", "_variables")

    def __init__(self, variables: dict[str, str | None]) -> None:
        self._variables = variables
        self._controller = _controller() if any(value != "1" for value in variables.values()) else None

    def restore(self) -> None:
        for name, value in self._variables.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        limits = {library: self._number(name) for library, name in _LIBRARIES.items()}
        if self._controller is not None:
            self._controller.limit(limits={library: number for library, number in limits.items() if number})

    def _number(self, name: str) -> int:
        """Return the number; 0 lets the library choose."""
        value = self._variables.get(name) or ""
        return int(value) if value.isdecimal() else 0


def _controller() -> Any:
    if "numpy" not in sys.modules:
        return None
    try:
        import threadpoolctl

        return threadpoolctl.ThreadpoolController()
    except Exception:  # It is not there, or a module of the user has the name of one that it needs.
        return None
