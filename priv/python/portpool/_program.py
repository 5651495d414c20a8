"""Finds the program beside the installed package, and runs it. For `testing`."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import sysconfig
from typing import TYPE_CHECKING

import portpool

if TYPE_CHECKING:
    from collections.abc import Iterator

_VARIABLE = "PORTPOOL_BINARY"
# The processors of ELF files (e_machine) that Linux runs on today.
_MACHINES = {3: "i386", 21: "ppc64", 22: "s390x", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv64", 258: "loongarch64"}


class ProgramError(Exception):
    """The program ``portpool`` was not found, cannot run, or has another version than this package."""


def find() -> str:
    """Return the path of the program.

    Raises ProgramError if there is none.
    """
    named = os.environ.get(_VARIABLE)
    if named:
        if not _is_program(named):
            raise ProgramError(f"{_VARIABLE} is {named!r}, which is not an executable file")
        return named
    folders = list(dict.fromkeys(_folders()))
    for folder in folders:
        path = os.path.join(folder, "portpool")
        if _is_program(path):
            return path
    found = shutil.which("portpool")
    if found is None:
        raise ProgramError(
            f"the program portpool is neither in {' or '.join(folders)} nor on PATH: install it with `pip install portpool`, "
            f"or set {_VARIABLE} to its path"
        )
    return found


def _folders() -> Iterator[str]:
    """Where pip puts programs. An environment may use packages of its base installation, whose programs are not in it."""
    packages = os.path.dirname(os.path.dirname(portpool.__dict__.get("__file__") or ""))  # A worker's package is not a file.
    if os.path.basename(packages) in ("site-packages", "dist-packages"):  # PREFIX/lib/python3.x/site-packages
        yield os.path.normpath(os.path.join(packages, "..", "..", "..", "bin"))
    if packages:  # pip install --target
        yield os.path.join(packages, "bin")
    if sys.executable:
        yield os.path.dirname(sys.executable)
    yield sysconfig.get_path("scripts")


def _is_program(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)


def run(command: str, data: bytes) -> bytes:
    """Run a command of the program with these bytes as its input, and return its output.

    Raises ProgramError if it has none.
    """
    program = find()
    try:
        done = subprocess.run([program, command], input=data, capture_output=True, check=False)
    except OSError as error:
        raise ProgramError(f"the program {program} cannot run on this machine: {_why(program, error)}") from None
    if not done.stdout:
        said = done.stderr.decode(errors="replace").strip() or f"exit status {done.returncode}"
        raise ProgramError(f"the program {program} does not fit this package (version {portpool.__version__}): {said}")
    return done.stdout


def _why(program: str, error: OSError) -> str:
    if error.errno == errno.ENOEXEC:
        with open(program, "rb") as file:
            head = file.read(20)
        built_for = _MACHINES.get(int.from_bytes(head[18:20], "little"), "another processor")
        if head[:4] == b"\x7fELF":
            return f"it was built for {built_for}, and this is {os.uname().machine}"
        return "it is not a program"
    if error.errno == errno.ENOENT:
        return "its loader is missing, so it was built for another C library (glibc or musl)"
    return error.strerror or str(error)


def check_version(version: str) -> None:
    """Raise ProgramError if the program has another version than this package."""
    if version != portpool.__version__:
        raise ProgramError(
            f"the program {find()} has version {version}, and this package version {portpool.__version__}: install the same version of both"
        )
