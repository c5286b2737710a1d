"""Imports go one way."""

from __future__ import annotations

import ast
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import genai_hwreq

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(genai_hwreq.__file__).parent

LAYERS: tuple[tuple[str, ...], ...] = (
    ("errors", "_types"),
    ("units", "_validators", "_tables"),
    ("provenance", "ranges"),
    ("formats",),
    ("models", "hardware", "placement", "training"),
    ("workloads",),
    ("formulas", "readers", "_showing"),
    ("estimates",),
    ("typical",),
    ("engines", "catalog"),
    ("companions",),
    ("estimation",),
    ("planning", "scoring"),
    ("plotting", "exports", "detect"),
    ("cli",),
    ("__main__", "__init__"),
)
"""From the leaves up: a part imports only from parts of earlier rows, and from itself."""

HEIGHT = {part: height for height, row in enumerate(LAYERS) for part in row}

LAZY = frozenset(
    {
        "argparse",
        "cattrs",
        "importlib.metadata",
        "importlib.resources",
        "importlib_resources",
        "inspect",
        "json",
        "numpy",
        "tomllib",
    }
)
"""Modules that cost more than they are needed: imported inside the function that uses them."""

EAGER_ALLOWED = {
    "cli.py": {"argparse"},
    "catalog/_converter.py": {"cattrs"},
    "scoring/cases.py": {"json"},
}
"""Files that are themselves loaded only when that module is needed."""


@cache
def sources() -> tuple[tuple[str, ast.Module], ...]:
    """Every source file by its path below the package."""
    return tuple(
        (path.relative_to(ROOT).as_posix(), ast.parse(path.read_text("utf-8")))
        for path in sorted(ROOT.rglob("*.py"))
    )


def part_of(module: str) -> str:
    """The part of the package that a module belongs to."""
    names = module.split(".")
    return names[1] if len(names) > 1 else "__init__"


def runtime_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node that is reached at run time: blocks for type checkers are left out."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        yield from runtime_nodes(node)


def imported(tree: ast.AST) -> Iterator[str]:
    """The full name of every module, or name in the package, that is imported at run time."""
    for node in runtime_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "genai_hwreq":
            yield from (f"genai_hwreq.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_every_part_has_its_layer() -> None:
    """A new module or package is given a place in the order."""
    parts = {path.partition("/")[0].removesuffix(".py") for path, _ in sources()}

    assert set() == parts - set(HEIGHT)


@pytest.mark.parametrize("path", [path for path, _ in sources()])
def test_imports_only_from_lower_layers(path: str) -> None:
    """A module imports from lower layers and from its own package, inside functions too."""
    own = path.partition("/")[0].removesuffix(".py")
    targets = {part_of(name) for name in imported(dict(sources())[path]) if name.startswith("genai_hwreq")}

    # An estimate is shown by the module below it, which knows it by its type alone.
    assert set() == {target for target in targets - {own} if HEIGHT[target] >= HEIGHT[own]}


@pytest.mark.parametrize("path", [path for path, _ in sources()])
def test_costly_modules_are_imported_where_they_are_used(path: str) -> None:
    """Parsers, converters and readers of data files are not imported at the top of a file."""
    tree = dict(sources())[path]
    top = ast.Module(
        body=[node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)], type_ignores=[]
    )
    eager = {
        costly for name in imported(top) for costly in LAZY if name == costly or name.startswith(f"{costly}.")
    }

    assert set() == eager - EAGER_ALLOWED.get(path, set())


@pytest.mark.parametrize("path", [path for path, _ in sources()])
def test_only_declared_dependencies_are_imported(path: str) -> None:
    """Beside the standard library there are attrs, cattrs and importlib-resources."""
    roots = {name.partition(".")[0] for name in imported(dict(sources())[path])}

    assert set() == roots - sys.stdlib_module_names - {
        "genai_hwreq",
        "attrs",
        "attr",
        "cattrs",
        "importlib_resources",
    }


def test_engines_and_catalog_do_not_know_each_other() -> None:
    """An engine never looks a fact up, and a fact never asks an engine."""
    for path, tree in sources():
        parts = {part_of(name) for name in imported(tree) if name.startswith("genai_hwreq")}
        if path.startswith("engines/"):
            assert "catalog" not in parts
        if path.startswith("catalog/"):
            assert "engines" not in parts


def test_formulas_know_no_record() -> None:
    """A formula is a function of whole numbers."""
    for path, tree in sources():
        if path.startswith("formulas/"):
            parts = {part_of(name) for name in imported(tree) if name.startswith("genai_hwreq")}
            assert parts <= {"formulas", "errors", "units", "_validators"}, path


def test_every_file_says_what_lives_there() -> None:
    """A file opens with a docstring."""
    assert [] == [path for path, tree in sources() if not ast.get_docstring(tree)]
