"""Plain functions that have nothing to do with coroutines."""

import sys


def has_asyncio():
    return "asyncio" in sys.modules
