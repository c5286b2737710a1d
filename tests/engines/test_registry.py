"""Engines by name: ours, and those of other packages."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest
from attrs import has

from genai_hwreq import engines, estimate_vram
from genai_hwreq.engines import ENGINES, Engine, get_engine
from genai_hwreq.engines._registry import engine_class
from genai_hwreq.engines._runtime import workspace_bytes
from genai_hwreq.errors import UnknownNameError


@pytest.mark.parametrize("name", sorted(ENGINES))
def test_ours(name: str) -> None:
    """Every engine of the table is a record with defaults, found in any case, and an attribute of the package."""
    engine = get_engine(f" {name.upper()} ")
    assert isinstance(engine, Engine)
    assert has(type(engine))
    assert name == engine.name
    assert type(engine) is getattr(engines, type(engine).__name__)
    assert type(engine).__name__ in dir(engines)


def test_no_such_attribute() -> None:
    """The package has no engine that the table does not name."""
    with pytest.raises(AttributeError, match="no attribute 'Abacus'"):
        _ = engines.Abacus


def test_unknown() -> None:
    """An unknown engine is answered with known ones."""
    with pytest.raises(UnknownNameError, match="unknown engine 'transformer'; did you mean") as caught:
        get_engine("transformer")
    assert "transformers" in caught.value.suggestions
    assert {*caught.value.suggestions} <= {*ENGINES}


def test_third_party(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine of another package is found by its entry point."""
    entry = EntryPoint("abacus", "genai_hwreq.engines.transformers:Transformers", "genai_hwreq.engines")

    def entry_points(*, group: str, name: str) -> list[EntryPoint]:
        return [entry] if (group, name) == (entry.group, entry.name) else []

    monkeypatch.setattr("importlib.metadata.entry_points", entry_points)
    assert engine_class("abacus") is engines.Transformers


def test_third_party_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """An estimate takes another package's engine by its name, as it takes ours."""
    entry = EntryPoint("counting-frame", "genai_hwreq.engines.vllm:VLLM", "genai_hwreq.engines")
    monkeypatch.setattr(
        "importlib.metadata.entry_points", lambda **named: [entry] * (named["name"] == entry.name)
    )

    assert estimate_vram("llama-2-7b", engine="vllm") == estimate_vram("llama-2-7b", engine="counting-frame")


@pytest.mark.parametrize(
    ("n_bytes", "capability"),
    [(0, None), (8_519_680, "8.0"), (32 * 2**20, "9.0"), (8_519_680, "6.1"), (32 * 2**20, "10.0")],
)
def test_workspace(n_bytes: int, capability: str | None) -> None:
    """The workspace of cuBLAS follows from the device's compute capability."""
    assert n_bytes == workspace_bytes(capability)
