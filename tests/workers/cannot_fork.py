"""A module after whose import no process can be forked."""

import errno
import os


def _fork():
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))


os.fork = _fork
