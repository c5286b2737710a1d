"""The models in the catalog: every entry reads, counts right, has its source and can be estimated."""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from genai_hwreq import estimate_vram, get_model, list_models
from genai_hwreq.catalog import Catalog
from genai_hwreq.catalog._entries import HostedEntry, SizedEntry, TransformerEntry
from genai_hwreq.errors import UnknownNameError, UnsupportedError
from genai_hwreq.models import TransformerModel, model_inventory

if TYPE_CHECKING:
    from pathlib import Path


@cache
def entries() -> dict[str, Any]:
    """Every model's entry as its file states it."""
    return {name: Catalog.default().entry(name) for name in list_models()}


def of_kind(kind: type) -> list[str]:
    """The ids of entries of a kind."""
    return [name for name, entry in entries().items() if isinstance(entry, kind)]


@pytest.mark.parametrize("name", list_models())
class TestEveryModel:
    """What holds for every entry."""

    def test_has_a_dated_source(self, name: str) -> None:
        """Every fact was read somewhere, on a day after the catalog was begun."""
        sources = entries()[name].identity.sources

        assert sources
        assert all(source.as_of >= date(2025, 1, 1) for source in sources)

    def test_builds_its_record(self, name: str) -> None:
        """The record bears the entry's identity."""
        assert entries()[name].identity == get_model(name).identity

    def test_is_found_by_every_name(self, name: str) -> None:
        """Id, name, aliases and Hub id lead to it."""
        identity = entries()[name].identity
        known = [identity.id, identity.name, *identity.aliases, *filter(None, [identity.hub_id])]

        assert {name} == {get_model(alias).identity.id for alias in known}

    def test_can_be_estimated(self, name: str) -> None:
        """Every model answers with all defaults, never less than its weights; sound known by size alone is refused."""
        entry = entries()[name]
        if isinstance(entry, SizedEntry) and entry.identity.modality == "audio":
            with pytest.raises(UnsupportedError, match="only the number of parameters is known"):
                estimate_vram(name)
            return
        estimate = estimate_vram(name)

        if isinstance(entries()[name], HostedEntry):
            assert estimate.vram_bytes == 0
        else:
            span = estimate.vram_range
            assert max(phase.bytes_of("weights") for phase in estimate.phases) <= estimate.vram_bytes
            assert 0 < span.low <= span.likely <= span.high


@pytest.mark.parametrize("name", of_kind(TransformerEntry))
class TestTransformers:
    """What holds for every entry with a configuration of its own."""

    def test_counts_the_stated_parameters(self, name: str) -> None:
        """The shapes give the stated number, or the entry says why they do not."""
        entry = entries()[name]
        model = entry.model()
        counted = model_inventory(model).n_params
        if entry.n_params is not None and entry.n_params_note is None:
            assert entry.n_params == counted

    def test_note_is_not_idle(self, name: str) -> None:
        """A note on a differing count stands only where the counts do differ."""
        entry = entries()[name]
        if entry.n_params_note is not None:
            assert entry.n_params != model_inventory(entry.model()).n_params

    def test_is_a_transformer(self, name: str) -> None:
        """The configuration gives a decoder with its native format and its longest context."""
        model = get_model(name)

        assert isinstance(model, TransformerModel)
        assert entries()[name].native_format == model.native_format
        assert model.decoder.n_layers > 0


class TestLookUp:
    """Names are easy; the laws of look-up stand in test_lookup.py."""

    def test_typo_is_answered_with_the_name(self) -> None:
        """An unknown name raises and suggests existing ids."""
        with pytest.raises(UnknownNameError, match="llama-2-7b") as caught:
            get_model("lama-2-7b")

        assert set(caught.value.suggestions) <= set(list_models())

    def test_own_file_comes_first(self, tmp_path: Path) -> None:
        """A catalog with a file of one's own finds it, and still finds what ships."""
        mine = tmp_path / "mine.toml"
        mine.write_text(
            """
            [[model]]
            kind = "transformer"
            native_format = "bf16"
            [model.identity]
            id = "my-model"
            name = "My model"
            [[model.identity.sources]]
            title = "my own training run"
            as_of = 2026-11-25
            [model.config]
            model_type = "llama"
            hidden_size = 64
            num_hidden_layers = 2
            num_attention_heads = 4
            intermediate_size = 128
            vocab_size = 1000
            """,
            "utf-8",
        )
        catalog = Catalog.read(mine)

        assert catalog.model("My Model").identity.id == "my-model"
        assert catalog.model("Llama 2 7B") == get_model("llama-2-7b")
        assert {"my-model", "llama-2-7b"} <= set(catalog.ids("model"))
        with pytest.raises(UnknownNameError):
            get_model("my-model")
