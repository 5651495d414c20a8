"""Workers that use Python's logging, each in another way."""

import logging
import os
import subprocess
import sys
import time

log = logging.getLogger("jobs.load")


def as_it_is():
    """Without any configuration: warnings and errors."""
    log.info("not said")
    log.warning("it is %s", "late")
    try:
        raise ValueError("no such luck")
    except ValueError:
        log.exception("it broke")
    print("printed")
    print("complained", file=sys.stderr)
    return "done"


def configured():
    logging.basicConfig(level=logging.DEBUG)
    log.debug("looked")
    logging.info("went on")
    return "done"


def with_a_format():
    logging.basicConfig(format="<%(message)s>", force=True)
    log.error("formatted")
    return "done"


def with_a_stream():
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, force=True)
    log.info("to stdout")
    return "done"


def dies():
    log.error("going down")
    print("last words", file=sys.stderr, flush=True)
    os._exit(3)


def says_and_waits(text, said, path):
    """Says something by all ways, makes a file, and runs until there is another."""
    print(text)
    os.write(2, text.encode() + b" to stderr\n")
    subprocess.run(["echo", text + " from a child"], check=True)
    open(said, "x").close()
    while not os.path.exists(path):
        time.sleep(0.001)
