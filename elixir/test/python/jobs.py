"""What the tests call."""

import logging
import os
import subprocess
import sys
import time


def sleep(seconds):
    time.sleep(seconds)
    return "slept"


def echo(value):
    return value


def fail(depth):
    if depth:
        return fail(depth - 1)
    raise ValueError("no such luck")


def keywords(*args, **kwargs):
    return [list(args), kwargs]


def exit_now(status):
    os._exit(status)


def environment(name):
    return os.environ.get(name)


def text(size):
    return "x" * size


def with_grandchild(seconds):
    subprocess.run(["sleep", str(seconds)])


def hide():
    """A process in a session of its own that has nothing by which it could be known. Returns its pid and the cgroup (v2) that it is in."""
    script = "import os, time\nif os.fork(): os._exit(0)\nos.setsid()\nprint(os.getpid(), flush=True)\ntime.sleep(3600)"
    hidden = subprocess.Popen([sys.executable, "-c", script], env={}, stdout=subprocess.PIPE)
    pid = int(hidden.stdout.readline())
    hidden.wait()
    with open(f"/proc/{pid}/cgroup") as file:
        return pid, next((line.rstrip()[3:] for line in file if line.startswith("0::")), "")


def noise(text):
    print(text)
    os.write(1, text.encode() + b"\n")
    return text


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def pid():
    return os.getpid()


_kept = []


def keep(value):
    """Keeps a value in this worker, and returns all that it has kept."""
    _kept.append(value)
    return _kept


def interrupted(value):
    """Sleeps until it is interrupted, and returns."""
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        return value


def sleep_and_write(seconds, path, text):
    time.sleep(seconds)
    write(path, text)


def die_once(path):
    if os.path.exists(path):
        return "lived"
    write(path, "")
    os._exit(1)


def loaded(names):
    return sorted(name for name in names if name in sys.modules)


def same_time(path, count):
    """Returns once it has been called `count` times at the same time."""
    with open(f"{path}/{os.getpid()}", "w"):
        pass
    while len(os.listdir(path)) < count:
        time.sleep(0.001)
    return os.getpid()


def exit_if(pid):
    if os.getpid() == pid:
        os._exit(1)


def sleep_and_echo(seconds, value):
    time.sleep(seconds)
    return value


def hang_unless_first(path):
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        time.sleep(60)


def run(command):
    return subprocess.run(command).returncode


def grow(size):
    _kept.append(bytearray(b"x") * size)
    return len(_kept)


def wait_for(path):
    while not os.path.exists(path):
        time.sleep(0.001)
    return "there"


def fail_with(size):
    raise ValueError("x" * size)


def says(text):
    """Says it in every way there is."""
    print(f"print {text}")
    os.write(1, f"write {text}\n".encode())
    subprocess.run(["echo", f"child {text}"])
    print(f"complaint {text}", file=sys.stderr)
    logging.getLogger("jobs").warning("logging %s", text)
    return "said"


def says_and_waits(go, text, said):
    wait_for(go)
    print(text)
    open(said, "w").close()
    time.sleep(60)
