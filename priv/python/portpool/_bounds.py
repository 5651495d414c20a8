"""What bounds a process of ours and all that it starts: the pool's cgroup, resource limits, no new privileges.

A bound that was asked for and cannot be set ends the process: nobody is to run without it and not know.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # see _boot.py
if TYPE_CHECKING:
    from typing import Any, NoReturn


def take(order: dict[str, Any]) -> None:
    if order["cgroup"] is not None:
        enter(*order["cgroup"])
    limits = dict(order["rlimits"])
    if order["memory_limit"] is not None:
        limits["data"] = order["memory_limit"]
    if limits:
        limit(limits)
    if order["no_new_privs"]:
        refuse_privileges()


def enter(procs: str, must: bool) -> None:
    """Moves this process into the pool's cgroup; what it starts is born there. The kernel takes milliseconds for a move, for which
    the server, whose one thread serves everybody, would have to wait."""
    try:
        with open(procs, "wb") as file:
            file.write(b"0")
    except OSError as error:
        if must:
            _stop(f"this process cannot be moved into the pool's cgroup: {error}")


def limit(limits: dict[str, int]) -> None:
    """What this process and each of its children may take; a lower limit that it has inherited stays."""
    import resource

    for name, most in limits.items():
        try:
            number = getattr(resource, "RLIMIT_" + name.upper())
            hard = resource.getrlimit(number)[1]
            if hard != resource.RLIM_INFINITY:
                most = min(most, hard)
            resource.setrlimit(number, (most, most))
        except (AttributeError, OSError, ValueError) as error:
            _stop(f"the limit {name} cannot be set: {error}")


def refuse_privileges() -> None:
    """From now on no program that this process starts has more rights than it: not by setuid, not by capabilities of a file."""
    try:
        import ctypes
    except ImportError as error:
        _stop(f"no_new_privs needs ctypes: {error}")
    PR_SET_NO_NEW_PRIVS = 38
    one, zero = ctypes.c_ulong(1), ctypes.c_ulong(0)
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_NO_NEW_PRIVS, one, zero, zero, zero) != 0:
        _stop(f"no_new_privs cannot be set: {OSError(ctypes.get_errno(), 'prctl')}")


def _stop(reason: str) -> NoReturn:
    sys.exit(f"portpool: {reason}")
