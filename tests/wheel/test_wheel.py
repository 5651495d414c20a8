"""The wheel as a user has it: installed into a new virtual environment, without Rust, used, checked by mypy, and uninstalled.

WHEELS is the directory with the wheel and the source distribution, MYPY the type checker, MATURIN the virtual environment of maturin.
"""

import csv
import io
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
WHEELS = Path(os.environ["WHEELS"])
# That of a machine without Rust.
PATH = "/usr/bin:/bin"

TYPED = '''
import portpool
from portpool import Atom
from portpool.testing import Error, call, roundtrip


class Money:
    amount = 12


@portpool.encoder(Money)
def encode(money: Money) -> dict[str, object]:
    return {"amount": money.amount, "currency": Atom("EUR")}


def price(title: str) -> Money:
    return Money()


def test() -> None:
    assert roundtrip({"prices": {1}}) == {"prices": [1]}
    assert call(price, "book") == {"amount": 12, "currency": "EUR"}
    try:
        roundtrip([object()])
    except Error as error:
        assert (error.reason, error.path, error.type) == ("unencodable", "element 1", "object"), error
    else:
        raise AssertionError("an object has no term")


test()
reveal_type(portpool.__version__)
'''


def the(pattern):
    """The only file of WHEELS with such a name."""
    (path,) = WHEELS.glob(pattern)
    return path


class Environment:
    """A virtual environment, in a folder whose name has a blank and an umlaut."""

    def __init__(self, folder):
        self.folder = Path(folder) / "für eine Probe"
        subprocess.run([sys.executable, "-m", "venv", self.folder], check=True)
        self.before = self.files()

    def files(self):
        return {path.relative_to(self.folder) for path in self.folder.rglob("*") if "__pycache__" not in path.parts}

    def run(self, program, *args, status=0, **variables):
        env = {"PATH": PATH, "HOME": str(self.folder), "LANG": "C.UTF-8", "PIP_DISABLE_PIP_VERSION_CHECK": "1", **variables}
        command = [self.folder / "bin" / program, *args]
        done = subprocess.run(command, env=env, cwd=self.folder.parent, capture_output=True, text=True, timeout=120)
        if done.returncode != status:
            raise AssertionError(f"{program} {args}: exit status {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def pip(self, *args, status=0):
        return self.run("python", "-m", "pip", *args, status=status)


class Installed(unittest.TestCase):
    """What `pip install portpool` brings works without anything else."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.environment = Environment(folder.name)
        cls.environment.pip("install", "--no-index", str(the("*.whl")))

    def portpool(self, *args, **options):
        return self.environment.run("portpool", *args, **options)

    def test_the_program_makes_calls_with_the_python_of_its_environment(self):
        self.assertEqual(self.portpool("call", "operator:add", "1", "2").stdout, "3\n")
        prefix = self.portpool("call", "--output", "raw", "sys:prefix.__str__").stdout.strip()
        self.assertEqual(Path(prefix), self.environment.folder)
        imported = self.portpool("call", "--output", "raw", "portpool:__spec__.origin.__str__")
        self.assertEqual((imported.stdout, imported.stderr), ("<portpool>/__init__.py\n", ""), "it is the program's own")

    def test_program_package_and_metadata_have_one_version(self):
        said = self.portpool("--version").stdout
        code = "import portpool, importlib.metadata as m; print(portpool.__version__, m.version('portpool'), m.requires('portpool'))"
        version, of_metadata, requires = self.environment.run("python", "-c", code).stdout.split()
        self.assertEqual((said, of_metadata, requires), (f"portpool {version}\n", version, "None"))

    def test_a_typed_module_passes_mypy_and_its_tests_pass(self):
        module = self.environment.folder / "orders.py"
        module.write_text(TYPED)
        self.addCleanup(module.unlink)
        checked = subprocess.run(
            [os.environ["MYPY"], "--strict", "--cache-dir", os.devnull, "--python-executable", self.environment.folder / "bin/python", module],
            cwd=self.environment.folder,
            capture_output=True,
            text=True,
            timeout=300,
        )
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
        self.assertIn('Revealed type is "str"', checked.stdout.replace("builtins.", ""))
        module.write_text(TYPED.replace("reveal_type(portpool.__version__)", ""))
        self.environment.run("python", str(module))


class Removed(unittest.TestCase):
    def test_uninstalling_leaves_nothing_and_installing_again_works(self):
        with tempfile.TemporaryDirectory() as folder:
            environment = Environment(folder)
            for _ in range(2):
                environment.pip("install", "--no-index", str(the("*.whl")))
                self.assertEqual(environment.run("portpool", "call", "operator:add", "1", "2").stdout, "3\n")
                environment.pip("uninstall", "--yes", "portpool")
                self.assertEqual(environment.files(), environment.before)


class Contents(unittest.TestCase):
    def test_the_wheel_has_the_program_the_package_its_types_and_the_license(self):
        with zipfile.ZipFile(the("*.whl")) as wheel:
            names = {re.sub(r"^portpool-[^/]*\.(data|dist-info)", r"\1", name): name for name in wheel.namelist()}
            expected = {f"portpool/{path.name}" for path in (ROOT / "priv/python/portpool").iterdir() if path.is_file()}
            more = {"data/scripts/portpool", "dist-info/METADATA", "dist-info/WHEEL", "dist-info/RECORD", "dist-info/licenses/LICENSE"}
            self.assertEqual(set(names), expected | more)
            self.assertIn("portpool/py.typed", expected)
            record = list(csv.reader(io.StringIO(wheel.read(names["dist-info/RECORD"]).decode())))
            self.assertEqual({row[0] for row in record}, set(wheel.namelist()))
            metadata = wheel.read(names["dist-info/METADATA"]).decode()
            mode = wheel.getinfo(names["data/scripts/portpool"]).external_attr >> 16
        self.assertTrue(mode & 0o111, "the program can be run")
        self.assertNotRegex(metadata, r"\]\((?!https://)", "a link that leads nowhere outside this repository")
        for field in ("Requires-Python: >=3.9", "License-Expression: Apache-2.0", "Project-URL: Homepage, https://github.com/portpool/portpool"):
            self.assertIn(field, metadata)

    def test_the_source_distribution_is_complete(self):
        with tempfile.TemporaryDirectory() as folder:
            with tarfile.open(the("*.tar.gz")) as archive:
                archive.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
            (root,) = Path(folder).iterdir()
            needed = [ROOT / name for name in ("Cargo.toml", "Cargo.lock", "pyproject.toml", "LICENSE", "README.md", "priv/python/README.md")]
            needed += (ROOT / "src").rglob("*.rs")
            needed += (path for path in (ROOT / "priv/python/portpool").iterdir() if path.is_file())
            missing = [str(path.relative_to(ROOT)) for path in needed if not (root / path.relative_to(ROOT)).is_file()]
            self.assertEqual(missing, [])
            # Its Cargo.toml names no file that is not there, and its Cargo.lock fits.
            read = ["cargo", "metadata", "--locked", "--offline", "--format-version", "1", "--no-deps"]
            done = subprocess.run(read, cwd=root, capture_output=True, text=True, timeout=120)
            self.assertEqual(done.returncode, 0, done.stderr)


class Portable(unittest.TestCase):
    """`make wheel`, as far as it goes without building anything."""

    def build(self, *targets, **variables):
        with tempfile.TemporaryDirectory() as folder:
            env = {**os.environ, "MATURIN": os.environ["MATURIN"], "ZIG": os.environ["MATURIN"], **variables}
            command = [sys.executable, ROOT / "bin/build-wheels", folder, *targets]
            done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=300)
            return done.returncode, done.stdout, sorted(path.name for path in Path(folder).glob("*.*"))

    def test_a_target_that_cannot_be_had_is_left_out_and_named(self):
        with tempfile.TemporaryDirectory() as tools:
            rustc = f'[ "$*" = "--print sysroot" ] && echo /nowhere || exec {shutil.which("rustc")} "$@"'
            for name, script in [("rustc", rustc), ("rustup", 'echo "no network" >&2; exit 1')]:
                path = Path(tools) / name
                path.write_text(f"#!/bin/sh\n{script}\n")
                path.chmod(0o755)
            path = os.pathsep.join([tools, os.environ["PATH"]])
            status, said, made = self.build("aarch64-unknown-linux-musl", PATH=path)
        self.assertEqual((status, made), (0, [the("*.tar.gz").name]), said)
        self.assertIn("no wheel for aarch64-unknown-linux-musl: Rust has no such target here", said)

    def test_an_unknown_target_is_refused_with_those_that_there_are(self):
        status, said, made = self.build("riscv64-unknown-linux-gnu")
        self.assertEqual((status, made), (2, []))
        self.assertIn("unknown target riscv64-unknown-linux-gnu: the targets are x86_64-unknown-linux-gnu, ", said)


class Refused(unittest.TestCase):
    def test_pip_refuses_a_wheel_for_another_platform_and_installs_nothing(self):
        other = "aarch64" if platform.machine() == "x86_64" else "x86_64"
        with tempfile.TemporaryDirectory() as folder:
            environment = Environment(folder)
            version = the("*.whl").name.split("-")[1]
            wheel = Path(folder) / f"portpool-{version}-py3-none-manylinux_2_17_{other}.whl"
            wheel.write_bytes(the("*.whl").read_bytes())
            said = environment.pip("install", "--no-index", str(wheel), status=1)
            self.assertIn("is not a supported wheel on this platform", said.stderr)
            said = environment.pip("install", "--no-index", "--find-links", folder, "portpool", status=1)
            self.assertIn("No matching distribution found for portpool", said.stderr)
            self.assertEqual(environment.files(), environment.before)


if __name__ == "__main__":
    unittest.main()
