"""The documentation keeps up with the code. Its examples run by themselves, see conftest.py."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

import genai_hwreq
from genai_hwreq import errors

PROJECT = Path(__file__).parents[2]
PAGES = sorted([PROJECT / "README.md", *(PROJECT / "docs").rglob("*.md")])
SOURCES = "\n".join(path.read_text("utf-8") for path in Path(genai_hwreq.__file__).parent.rglob("*.py"))


def page(name: str) -> str:
    """The text of a page."""
    return (PROJECT / "docs" / name).read_text("utf-8")


def test_generated_parts_are_up_to_date() -> None:
    """Generated parts are what the library says today; if this fails, run scripts/refresh_examples.py."""
    with_generated = runpy.run_path(str(PROJECT / "scripts" / "refresh_examples.py"))["with_generated"]
    texts = {path: path.read_text("utf-8") for path in PAGES}

    assert [] == [path.name for path, text in texts.items() if with_generated(text) != text]


@pytest.mark.parametrize("code", sorted(set(re.findall(r'Assumption\(\s*code="([a-z-]+)"', SOURCES))))
def test_every_assumption_is_explained(code: str) -> None:
    """The code of an assumption is a heading of the page on assumptions."""
    assert f"## {code}\n" in page("explanation/assumptions.md")


def test_no_assumption_is_explained_that_is_never_made() -> None:
    """The page on assumptions speaks only of codes that exist."""
    explained = re.findall(r"^## ([a-z-]+)$", page("explanation/assumptions.md"), re.MULTILINE)

    made = re.compile(r'code=f?"([a-z-]+)')  # the start of a code that is put together counts for it
    starts = tuple(made.findall(SOURCES))

    assert set() == {code for code in explained if not code.startswith(starts)}


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_is_explained(name: str) -> None:
    """Every error has its place on the page of errors."""
    assert f"errors.{name}\n" in page("reference/errors.md")


@pytest.mark.parametrize("verb", ["table", "estimate", "fit", "advise", "models", "gpus", "score"])
def test_every_verb_is_explained(verb: str) -> None:
    """Every verb of the command line has its place on its page."""
    assert f"## {verb}\n" in page("reference/cli.md")


@pytest.mark.parametrize("name", sorted({*genai_hwreq.__all__} - {"engines", "errors", "units"}))
def test_every_public_name_is_in_the_reference(name: str) -> None:
    """Every public class and function has its place on the page of the Python reference."""
    assert f"::: genai_hwreq.{name}\n" in page("reference/api.md")


@pytest.mark.parametrize("path", sorted(set(re.findall(r"Methodology: docs/(\S+\.md)", SOURCES))))
def test_methodology_pages_exist(path: str) -> None:
    """The page that an engine's file names is there."""
    assert (PROJECT / "docs" / path).exists()


def test_every_page_is_in_the_navigation() -> None:
    """The navigation is written by hand and leaves no page out."""
    navigation = (PROJECT / "mkdocs.yml").read_text("utf-8")
    pages = {path.relative_to(PROJECT / "docs").as_posix() for path in PAGES[0:] if path.name != "README.md"}

    assert set() == {name for name in pages if name not in navigation}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(PROJECT).as_posix())
def test_links_between_pages_lead_somewhere(path: Path) -> None:
    """A relative link leads to a file that is there."""
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", path.read_text("utf-8"))

    assert [] == [target for target in targets if not (path.parent / target).exists()]
