"""Runs the examples of README, documentation and docstrings as tests."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sybil import Sybil
from sybil.document import PythonDocStringDocument
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser
from sybil.parsers.rest import DocTestParser

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    """Keep a document's examples in one process where tests run in several: they build on each other."""
    if getattr(config.option, "dist", "no") == "load":
        config.option.dist = "loadfile"


class SessionParser(PythonCodeBlockParser):
    """Blocks of `pycon`: sessions with prompts and what they print."""

    def __init__(self) -> None:
        """Look for the other language."""
        super().__init__()
        self.codeblock_parser = CodeBlockParser("pycon", PythonEvaluator())


def _in_root(_: dict[str, Any]) -> None:
    """Paths in examples are those of the repository's root."""
    os.chdir(ROOT)


documents = Sybil(
    parsers=[PythonCodeBlockParser(), SessionParser(), SkipParser()],
    patterns=["*.md"],
    path=str(ROOT),
    excludes=["CHANGELOG.md", ".*/**"],
    setup=_in_root,
)
docstrings = Sybil(
    parsers=[DocTestParser()],
    patterns=["*.py"],
    path=str(ROOT / "src"),
    document_types={".py": PythonDocStringDocument},
)

pytest_collect_file = (documents + docstrings).pytest()
