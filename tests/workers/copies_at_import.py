"""Forks while it is imported: the copy goes to the end of the import, and not on."""

import os

_pid = os.fork()
if _pid == 0 and os.environ.get("COPY_RAISES"):
    raise ValueError("raised in a copy")
status = os.waitstatus_to_exitcode(os.waitpid(_pid, 0)[1]) if _pid else None


def seen():
    return status
