"""What is called beside modules that have the names of the standard library's. It imports nothing itself."""


def fails(text):
    raise ValueError(text)


async def awaited(value):
    return value


async def fails_awaited(text):
    raise ValueError(text)


def unencodable():
    return [1, object()]


def takes(one):
    return one


def its_own(name):
    """What the user's own module of this name says."""
    return __import__(name).mine()


async def runs_in():
    """Whether the loop that runs this is one of the module that we get."""
    import asyncio

    await asyncio.sleep(0)
    assert asyncio.current_task() is not None
    return isinstance(asyncio.get_running_loop(), asyncio.AbstractEventLoop)
