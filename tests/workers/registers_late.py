"""Registers functions with `after_fork`: when it is imported by a call or by `init`, they are called at once."""

import os

import portpool

order = ["imported"]


@portpool.after_fork
def first():
    order.append("first")


order.append("between")


@portpool.after_fork
def second():
    order.append("second")
    if os.environ.get("LATE_RAISES"):
        raise ValueError("raised by after_fork")


def registers_a_coroutine_function():
    async def connect():
        order.append("connected")

    portpool.after_fork(connect)


def seen():
    return order
