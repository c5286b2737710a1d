"""Importing the package costs next to nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

COSTLY = (
    "argparse",
    "cattrs",
    "importlib.metadata",
    "importlib.resources",
    "importlib_resources",
    "json",
    "numpy",
    "pydantic",
    "rich",
    "tomllib",
    "torch",
)


def loaded_after(code: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after running some code."""
    script = f"{code}\nimport sys\nprint(*sys.modules)"
    # -S -E would hide the installed package; what a site's own start-up loads is taken off instead.
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.fixture(scope="module")
def bare() -> set[str]:
    """What an interpreter loads by itself."""
    return loaded_after("")


def test_import_loads_nothing_costly(bare: set[str]) -> None:
    """After `import genai_hwreq` no parser, converter, reader of resources or framework is loaded."""
    assert set() == (loaded_after("import genai_hwreq") - bare) & set(COSTLY)


def test_import_loads_only_ourselves_and_attrs(bare: set[str]) -> None:
    """The package brings at most attrs and the standard library into the interpreter."""
    roots = {name.partition(".")[0] for name in loaded_after("import genai_hwreq") - bare}

    assert set() == roots - sys.stdlib_module_names - {"genai_hwreq", "attr", "attrs"}


def test_an_estimate_by_name_needs_no_converter(bare: set[str]) -> None:
    """The compiled catalog is read without cattrs and without parsing TOML."""
    loaded = loaded_after("import genai_hwreq as hw\nhw.estimate_vram('llama-2-7b')") - bare

    assert set() == loaded & {"cattrs", "tomllib", "numpy"}


def test_one_engine_does_not_load_the_others(bare: set[str]) -> None:
    """An engine's file is imported when it is first asked for."""
    loaded = loaded_after("import genai_hwreq as hw\nhw.estimate_vram('llama-2-7b')") - bare

    assert "genai_hwreq.engines.transformers" in loaded
    assert set() == loaded & {"genai_hwreq.engines.diffusers", "genai_hwreq.engines.llama_cpp"}
