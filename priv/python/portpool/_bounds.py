"""Limits a process of ours and everything it starts: the pool's cgroup, resource limits, no new privileges.

If a requested limit cannot be set, the process ends, so that it never runs without the limit.
"""

from __future__ import annotations

import os
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
    if os.environ.get("MIMALLOC_ARENA_RESERVE") == "1":
        del os.environ["MIMALLOC_ARENA_RESERVE"]  # It was for this process alone: see src/worker/boot.rs.
    if limits:
        limit(limits)
    if order["no_new_privs"]:
        refuse_privileges()


def enter(procs: str, must: bool) -> None:
    """Move this process into the pool's cgroup; what it starts is born there.

    A move takes the kernel milliseconds, too long for the server, whose one thread serves everybody."""
    try:
        with open(procs, "wb") as file:
            file.write(b"0")
    except OSError as error:
        if must:
            _stop(f"this process cannot be moved into the pool's cgroup: {error}")


def limit(limits: dict[str, int]) -> None:
    """Limit this process and each of its children; a lower inherited limit stays."""
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
    """Keep programs that this process starts from gaining privileges by setuid or by file capabilities."""
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
