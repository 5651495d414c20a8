"""Coroutine functions, and what they keep between calls."""

import asyncio
import os
import sys
import types

_kept = {}
_seen = []


async def set_up(word):
    """An `init`: what it makes is for the calls."""
    _kept["lock"] = asyncio.Lock()
    _kept["queue"] = asyncio.Queue()
    _kept["loop"] = asyncio.get_running_loop()
    await _kept["queue"].put(word)


async def warm_up():
    _kept["warm"] = asyncio.get_running_loop()
    await asyncio.sleep(0)


def is_warm():
    """Whether nothing of the loop of `warmup` is left but its object."""
    return [_kept["warm"].is_closed(), asyncio._get_running_loop() is None]


async def uses_what_is_kept():
    """A contended lock and a queue belong to the loop that used them first."""

    async def holds():
        async with _kept["lock"]:
            await asyncio.sleep(0)

    await asyncio.gather(holds(), holds())
    word = await asyncio.wait_for(_kept["queue"].get(), 10)
    await _kept["queue"].put(word)
    return [word, _kept["loop"] is asyncio.get_running_loop()]


async def serves():
    """A server and a client connection that live on."""

    async def echo(reader, writer):
        while line := await reader.readline():
            writer.write(line.upper())
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    _kept["server"] = server
    _kept["client"] = await asyncio.open_connection("127.0.0.1", port)


async def asks(line):
    reader, writer = _kept["client"]
    writer.write(line.encode() + b"\n")
    await writer.drain()
    return (await reader.readline()).decode().strip()


async def loop_id():
    return id(asyncio.get_running_loop())


def loop_of_a_plain_function():
    return id(asyncio.get_event_loop())


def runs_it_by_itself():
    async def five():
        await asyncio.sleep(0)
        return 5

    return asyncio.get_event_loop().run_until_complete(five())


def runs_another():
    async def six():
        return 6

    return asyncio.run(six())


def closes_it():
    asyncio.get_event_loop().close()


def returns_a_future():
    return asyncio.ensure_future(asyncio.sleep(0, "a future"))


class Awaitable:
    def __await__(self):
        yield from asyncio.sleep(0).__await__()
        return "an object"


def returns_an_awaitable():
    return Awaitable()


@types.coroutine
def of_a_generator():
    yield
    return "a generator"


def plain_generator():
    yield 1


async def raises(name):
    await asyncio.sleep(0)
    raise {"ValueError": ValueError, "SystemExit": SystemExit, "KeyboardInterrupt": KeyboardInterrupt, "CancelledError": asyncio.CancelledError}[name]("raised")


async def a_child_raises(name):
    """The loop is broken off by another task; this one is cancelled, and does not go on later."""
    try:
        child = asyncio.ensure_future(raises(name))
        await asyncio.sleep(3600)
        await child
    finally:
        _seen.append("cancelled")


def seen():
    taken, _seen[:] = list(_seen), []
    return taken


async def waits(path):
    try:
        with open(path, "w"):
            pass
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        _seen.append("cancelled")
        await asyncio.sleep(0.01)
        _seen.append("cleaned up")
        raise
    finally:
        _seen.append("over")


async def swallows(times):
    """As code does that takes a cancellation for its own."""
    for _ in range(times):
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            _seen.append("swallowed")
    await asyncio.sleep(3600)


async def polls():
    """Before Python 3.12 a cancellation that meets a completion is swallowed."""
    while True:
        await asyncio.wait_for(asyncio.sleep(0.0001), 3600)


async def _cleans_up():
    try:
        await asyncio.sleep(3600)
    finally:
        await asyncio.sleep(0.3)
        _seen.append("cleaned up")


class _CleansUp:
    async def __aenter__(self):
        pass

    async def __aexit__(self, *error):
        await asyncio.sleep(0.3)
        _seen.append("cleaned up")


async def _uses_one_that_cleans_up():
    async with _CleansUp():
        await asyncio.sleep(3600)


async def _generates():
    try:
        yield await asyncio.sleep(3600)
    finally:
        await asyncio.sleep(0.3)
        _seen.append("cleaned up")


async def _uses_a_generator():
    async for _ in _generates():
        pass


async def _raises_another():
    try:
        try:
            await asyncio.sleep(3600)
        finally:
            raise ValueError("while it was cancelled")
    except ValueError:
        await asyncio.sleep(0.3)
        _seen.append("cleaned up")
        raise


async def cleans_up(how):
    await {
        "itself": _cleans_up,
        "context": _uses_one_that_cleans_up,
        "generator": _uses_a_generator,
        "another": _raises_another,
        "task": lambda: asyncio.ensure_future(_cleans_up()),
        "wait_for": lambda: asyncio.wait_for(_cleans_up(), 3600),
        "gather": lambda: asyncio.gather(_cleans_up()),
    }[how]()


async def waits_for_the_best():
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        return "the best so far"


async def counts_in_the_background():
    """A task that a call leaves runs while other coroutines do."""

    async def count():
        while True:
            _seen.append("tick")
            await asyncio.sleep(0)

    _kept["background"] = asyncio.ensure_future(count())
    await asyncio.sleep(0)


async def turns(times):
    for _ in range(times):
        await asyncio.sleep(0)


async def leaves_much(path):
    """What is still there at the worker's end says in the file that it was ended properly."""

    def say(word):
        with open(path, "a") as file:
            file.write(word + "\n")

    async def background():
        try:
            await asyncio.sleep(3600)
        finally:
            say("task")

    async def generator():
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(0)
            say("generator")

    import atexit

    _kept["task"] = asyncio.ensure_future(background())
    _kept["generator"] = generator()
    await _kept["generator"].__anext__()
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, len, "")

    async def last():
        await asyncio.sleep(0)
        say("at exit")

    atexit.register(lambda: loop.run_until_complete(last()))


async def is_stubborn():
    """A task that does not want to end."""

    async def stubborn():
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                pass

    _kept["stubborn"] = asyncio.ensure_future(stubborn())
    await asyncio.sleep(0)


def modules():
    return "asyncio" in sys.modules


class Policy(asyncio.DefaultEventLoopPolicy):
    """As uvloop has one."""

    def new_event_loop(self):
        loop = super().new_event_loop()
        loop.of_a_policy = True
        return loop


def installs_a_policy():
    asyncio.set_event_loop_policy(Policy())


async def policy():
    return getattr(asyncio.get_running_loop(), "of_a_policy", False)


def makes_a_client_first():
    """Before any coroutine has come: what is bound to the current loop now must work in it later."""
    loop = asyncio.get_event_loop_policy().get_event_loop()
    _kept["early"] = loop.create_future()
    loop.call_soon(_kept["early"].set_result, "early")


async def uses_the_early_one():
    return await _kept["early"]


async def forever_in_python(path):
    with open(path, "w"):
        pass
    while True:
        os.getpid()


def runs_forever_by_itself(path):
    async def forever():
        with open(path, "w"):
            pass
        while True:
            await asyncio.sleep(0)
            _seen.append("still there")

    asyncio.get_event_loop().run_until_complete(forever())


def loop_of_a_plain_function_after_warmup():
    """As in a program that has never had a loop. From 3.14 on there is none to be had then."""
    if sys.version_info >= (3, 14):
        return True
    loop = asyncio.get_event_loop_policy().get_event_loop() if sys.version_info < (3, 12) else asyncio.new_event_loop()
    answer = loop is not _kept["warm"] and not loop.is_closed()
    loop.close()
    return answer
