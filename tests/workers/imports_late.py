"""Imports a module that registers functions, in `init`, in `after_fork` or in a call."""

import os

import portpool

if os.environ.get("LATE_AFTER_FORK"):

    @portpool.after_fork
    def imports():
        import registers_late

        registers_late.order.append("imports")


def seen():
    import registers_late

    return registers_late.seen()
