"""The public names: a change here is a change for users and belongs into the changelog."""

from __future__ import annotations

import ast
import inspect
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest

import genai_hwreq
from genai_hwreq import engines, errors, units

PUBLIC = [
    "Adapter",
    "Advice",
    "Assumption",
    "AudioGeneration",
    "ByteRange",
    "Catalog",
    "Check",
    "Companion",
    "Component",
    "DeviceMemory",
    "Draft",
    "Estimate",
    "Fit",
    "Full",
    "Generation",
    "ImageGeneration",
    "Lora",
    "MaxBatch",
    "MaxContext",
    "Option",
    "Phase",
    "Placement",
    "Projector",
    "ServingCapacity",
    "Sharding",
    "Source",
    "Training",
    "Transcription",
    "VideoGeneration",
    "advise",
    "check",
    "engines",
    "errors",
    "estimate_vram",
    "fits",
    "get_accelerator",
    "get_cpu",
    "get_format",
    "get_machine",
    "get_model",
    "get_tier",
    "list_accelerators",
    "list_formats",
    "list_models",
    "max_batch",
    "max_context",
    "read_model",
    "recommendation_table",
    "serving_capacity",
    "units",
]


def test_public_names() -> None:
    """`__all__` is what it was."""
    assert PUBLIC == genai_hwreq.__all__


@pytest.mark.parametrize("name", PUBLIC)
def test_public_name_is_there(name: str) -> None:
    """Every public name loads, and has a docstring."""
    assert inspect.getdoc(getattr(genai_hwreq, name))


def test_lazy_names_are_those_that_type_checkers_see() -> None:
    """Each name is loaded from the module from which the file imports it for type checkers."""
    tree = ast.parse(Path(genai_hwreq.__file__).read_text("utf-8"))
    seen = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("genai_hwreq.")
        for alias in node.names
    }
    loaded = {name: f"genai_hwreq.{home}" for name, home in genai_hwreq._HOMES.items()}

    assert seen == loaded
    assert set(PUBLIC) == {*loaded, *genai_hwreq._SUBMODULES}


def test_unknown_name_is_an_attribute_error() -> None:
    """A name the package does not have is refused as any module refuses it."""
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = genai_hwreq.nothing


def test_version_is_that_of_the_distribution() -> None:
    """`__version__` is read from the installed distribution."""
    assert version("genai-hwreq") == genai_hwreq.__version__


def test_dir_lists_the_public_names() -> None:
    """Completion offers the public names."""
    assert {*PUBLIC, "__version__"} == set(dir(genai_hwreq))


@pytest.mark.parametrize("module", [errors, units])
def test_all_is_sorted(module: object) -> None:
    """`__all__` is sorted, so that a change is easy to see."""
    names = module.__all__  # type: ignore[attr-defined]

    assert sorted(names) == names


def test_engines_by_class() -> None:
    """Every engine of the table is there by its class, bears its name and is constructed without arguments."""
    for name, target in engines.ENGINES.items():
        cls = getattr(engines, target.partition(":")[2])

        assert name == cls().name


def test_unknown_engine_class_is_an_attribute_error() -> None:
    """A class the package does not have is refused as any module refuses it."""
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        _ = engines.Nothing


def test_engines_dir_lists_classes() -> None:
    """Completion offers the engines."""
    assert {"Transformers", "Diffusers", "get_engine"} <= set(dir(engines))


def test_every_module_imports() -> None:
    """No module of the package depends on another being imported first."""
    root = Path(genai_hwreq.__file__).parent
    for path in root.rglob("*.py"):
        dotted = ".".join(("genai_hwreq", *path.relative_to(root).with_suffix("").parts)).removesuffix(
            ".__init__"
        )
        if not dotted.endswith("__main__"):
            import_module(dotted)
