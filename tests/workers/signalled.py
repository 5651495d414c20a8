"""What signals that are meant for the owner do to a worker, and to what it has started."""

import asyncio
import ctypes
import multiprocessing
import os
import signal
import subprocess
import time

FOR_THE_OWNER = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
_taken = []


def raises_all():
    """Sends each of them to this process."""
    for number in FOR_THE_OWNER:
        os.kill(os.getpid(), number)
    time.sleep(0)
    return os.getpid()


def _dispositions(status):
    """The signals that are blocked and ignored, in hexadecimal, of a /proc/PID/status."""
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    # Python ignores two, and the C library has two of its own beyond 31.
    others = 0x7FFFFFFF & ~(1 << signal.SIGPIPE - 1) & ~(1 << signal.SIGXFSZ - 1)
    return ["%x" % (int(fields[name], 16) & others) for name in ("SigBlk", "SigIgn")]


def of_programs():
    """Those of programs that are started in each way there is."""
    started = [
        subprocess.run(["cat", "/proc/self/status"], stdout=subprocess.PIPE, check=True).stdout.decode(),
        subprocess.run(["cat", "/proc/self/status"], stdout=subprocess.PIPE, preexec_fn=os.getpid).stdout.decode(),
        subprocess.run("cat /proc/self/status", shell=True, stdout=subprocess.PIPE).stdout.decode(),
        os.popen("cat /proc/self/status").read(),
        _read(lambda end: os.posix_spawnp("cat", ["cat", "/proc/self/status"], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, end, 1)])),
        _read(_by_fork_and_exec),
        _read(lambda end: ctypes.CDLL(None).system(b"cat /proc/self/status >/proc/self/fd/%d" % _inheritable(end))),
    ]
    return [_dispositions(status) for status in started]


def _inheritable(descriptor):
    os.set_inheritable(descriptor, True)
    return descriptor


def _by_fork_and_exec(end):
    if os.fork() == 0:
        os.dup2(end, 1)
        os.execvp("cat", ["cat", "/proc/self/status"])


def _read(start):
    ends, end = os.pipe()
    start(end)
    os.close(end)
    with open(ends) as file:
        return file.read()


def terminated_at_once(times):
    """How processes end that are terminated in the moment of their fork, in which a signal may get lost."""
    context = multiprocessing.get_context("fork")
    ends = []
    for _ in range(times):
        child = context.Process(target=time.sleep, args=(3600,))
        child.start()
        child.terminate()
        child.join(20)
        ends.append(child.exitcode)
        if child.exitcode is None:
            child.kill()
    return sorted(set(map(str, ends)))


def ended_by_each():
    """How forked processes end that get each of the signals."""
    ends = []
    for number in FOR_THE_OWNER:
        is_ready, ready = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.write(ready, b"x")
                while True:  # Not in a sleep: one that begins just after a signal does not see it.
                    pass
            except KeyboardInterrupt:
                os._exit(130)
        os.read(is_ready, 1)
        os.kill(child, number)
        ends.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    return ends


def take_all():
    """Installs handlers of its own."""
    for number in FOR_THE_OWNER:
        signal.signal(number, lambda number, frame: _taken.append(int(number)))


def taken():
    raises_all()
    seen = _taken[:]
    del _taken[:]
    return seen


def fork_keeps_handlers():
    """A process that is forked off keeps handlers which a function has installed."""
    take_all()
    child = os.fork()
    if child == 0:
        os._exit(len(taken()))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def goes_back(how):
    """Takes all of them, and goes back to the defaults."""
    if how == "loop":
        loop = asyncio.new_event_loop()
        for number in FOR_THE_OWNER:
            loop.add_signal_handler(number, print)
        loop.close()
    else:
        take_all()
        for number in FOR_THE_OWNER:
            signal.signal(number, signal.default_int_handler if how == "raises" and number == signal.SIGINT else signal.SIG_DFL)
    return [signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler) for number in FOR_THE_OWNER]


async def goes_back_in_a_coroutine():
    return goes_back("defaults")


if "GOES_BACK_AT_IMPORT" in os.environ:
    goes_back("loop")
if "RAISES_AT_IMPORT" in os.environ:
    raises_all()
