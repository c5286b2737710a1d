"""The compiled catalog is what the TOML says."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

import genai_hwreq
from genai_hwreq.catalog._load import KINDS

COMPILED = Path(genai_hwreq.__file__).parent / "catalog" / "data" / "compiled"
SCRIPT = Path(__file__).parents[2] / "scripts" / "compile_catalog.py"


@pytest.mark.parametrize("kind", KINDS)
def test_compiled_files_equal_the_toml(kind: str) -> None:
    """Compiling anew would write the same bytes; if this fails, run scripts/compile_catalog.py."""
    compiled_files = runpy.run_path(str(SCRIPT))["compiled_files"]

    for name, text in compiled_files(kind):
        assert text == (COMPILED / name).read_text("utf-8"), (
            f"run scripts/compile_catalog.py: {name} is out of date"
        )


def test_nothing_else_is_compiled() -> None:
    """Every compiled file belongs to a kind of the catalog."""
    expected = {name for kind in KINDS for name in (f"{kind}.jsonl", f"{kind}-names.json")}

    assert expected == {path.name for path in COMPILED.iterdir()}
