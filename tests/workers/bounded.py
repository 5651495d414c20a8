"""What bounds a worker and what it starts, as the kernel tells it."""

import os
import resource
import subprocess
import sys


def no_new_privs():
    """Whether this process, one that it forks and a program that it starts are kept from new privileges: each 0 or 1."""
    shows = ["sed", "-n", "s/NoNewPrivs:\\t//p", "/proc/self/status"]
    started = subprocess.run(shows, stdout=subprocess.PIPE, check=True)
    return [_no_new_privs(), _in_a_fork(_no_new_privs), int(started.stdout)]


def _no_new_privs():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("NoNewPrivs:"))


def _in_a_fork(function):
    ends, end = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(end, str(function()).encode())
        os._exit(0)
    os.waitpid(child, 0)
    return int(os.read(ends, 100))


def limit(name):
    """The two numbers of a limit, in this process and in a program that it starts."""
    own = resource.getrlimit(getattr(resource, "RLIMIT_" + name.upper()))
    option = {"nofile": "n", "core": "c"}[name]
    shows = f"ulimit -S{option}; ulimit -H{option}"
    started = subprocess.run(["sh", "-c", shows], stdout=subprocess.PIPE, check=True)
    return [*own, *map(int, started.stdout.split())]


def writes(path, size):
    """What comes of a file of this size."""
    with open(path, "wb") as file:
        file.write(b"x" * size)


def spins():
    while True:
        pass


def cgroup():
    """The cgroup of the second version that this process is in."""
    with open("/proc/self/cgroup") as file:
        return next(line.rstrip()[3:] for line in file if line.startswith("0::"))


def hides(path):
    """A process in a session of its own that has nothing by which it could be known; says its pid in a file."""
    script = "import os, sys, time\nif os.fork(): os._exit(0)\nos.setsid()\n"
    script += "open(sys.argv[1] + '.new', 'w').write(str(os.getpid()))\nos.rename(sys.argv[1] + '.new', sys.argv[1])\ntime.sleep(3600)"
    subprocess.run([sys.executable, "-c", script, path], env={}, stdout=subprocess.DEVNULL, check=True)


def makes_a_cgroup_below(mount):
    os.makedirs(mount + cgroup() + "/below/it")


def fills(megabytes):
    """Takes memory and writes to it, in processes of its own that do so together."""
    children = [subprocess.Popen([sys.executable, "-c", f"b = bytearray({megabytes} << 20); import time; time.sleep(60)"]) for _ in range(4)]
    filled = b"\x01" * (megabytes << 20)
    for child in children:
        child.wait()
    return len(filled)
