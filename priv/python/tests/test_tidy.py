"""The package's files name each other one way: no file needs another that needs it."""

import ast
import unittest
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "portpool"


class Imports(ast.NodeVisitor):
    """The files of the package that a file imports, also inside functions; what only type checkers import does not count."""

    def __init__(self) -> None:
        self.found: set[str] = set()

    def visit_If(self, node: ast.If) -> None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return
        self.generic_visit(node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.module == "portpool":
            self.found.update(alias.name for alias in node.names if (PACKAGE / f"{alias.name}.py").exists())
        elif node.module is not None and node.module.startswith("portpool."):
            self.found.add(node.module.partition(".")[2])

    def visit_Import(self, node: ast.Import) -> None:
        self.found.update(alias.name.partition(".")[2] for alias in node.names if alias.name.startswith("portpool."))


def imports() -> Iterator[tuple[str, set[str]]]:
    for path in sorted(PACKAGE.glob("*.py")):
        seen = Imports()
        seen.visit(ast.parse(path.read_text()))
        yield path.stem, seen.found


class Arrows(unittest.TestCase):
    def test_no_two_files_need_each_other(self) -> None:
        graph = dict(imports())
        self.assertIn("_wire", graph["_worker"])
        TopologicalSorter(graph).prepare()  # Raises CycleError, which names the circle.


if __name__ == "__main__":
    unittest.main()
