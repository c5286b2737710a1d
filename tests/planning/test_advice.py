"""What to change so that a model fits."""

from __future__ import annotations

import json
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings, strategies as st

from genai_hwreq.catalog import get_accelerator, get_format, get_model
from genai_hwreq.engines import Request, get_engine
from genai_hwreq.engines.llama_cpp import LlamaCpp
from genai_hwreq.errors import UnknownNameError, UnsupportedError
from genai_hwreq.estimation import estimate_vram
from genai_hwreq.planning import fits
from genai_hwreq.planning._formats import lighter_formats
from genai_hwreq.planning._search import largest
from genai_hwreq.planning.advice import Advice, advise
from genai_hwreq.units import GIB
from genai_hwreq.workloads import Generation, Lora, Training

CARD = "rtx-3060-12gb"
ORDER = ("as asked", "precision", "context", "batch", "offload", "engine", "layers on the host", "devices")


def kinds(advice: Advice) -> list[str]:
    """Return the kinds of an advice's options, each once."""
    return list(dict.fromkeys(option.kind for option in advice.options))


@pytest.mark.property
@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from(["llama-2-13b", "qwen3-30b-a3b", "mamba-2.8b", "stable-diffusion-xl-base-1.0", 9_000_000_000]),
    st.integers(2, 40),
    st.integers(1, 4),
)
def test_every_option_fits_and_needs_less(model: str | int, gib: int, batch: int) -> None:
    """Each change makes it fit with less memory than as asked, in the order of how much they change."""
    card = evolve(get_accelerator(CARD), memory_bytes=gib * GIB, reported_memory_bytes=None)
    advice = advise(model, on=card, batch_size=batch)
    changed = [option for option in advice.options if option.kind != "as asked"]

    assert kinds(advice) == sorted(kinds(advice), key=ORDER.index)
    assert all(option.fit == fits(option.estimate, card) and option.fit.fits for option in changed)
    assert all(option.estimate.vram_bytes < advice.asked.estimate.vram_bytes for option in changed)
    assert (advice.asked in advice.options) == advice.asked.fit.fits
    assert all(option.gives_up.endswith(".") for option in advice.options)


def test_what_fits_needs_no_change() -> None:
    """Where even the upper bound fits, the one option is what was asked."""
    advice = advise("llama-2-7b", on="rtx-4090-24gb", precision="int4")

    assert (advice.asked,) == advice.options
    assert advice.best is advice.asked
    assert "fits" == advice.asked.verdict
    assert advice.asked.estimate == estimate_vram("llama-2-7b", precision="int4")


def test_a_hosted_model_needs_nothing() -> None:
    """A model reached by an API fits on anything."""
    assert ["as asked"] == kinds(advise("gpt-4o", on=CARD))


def test_what_is_tight_is_an_option_beside_others() -> None:
    """Where only the likely need fits, safer ways are shown as well, and the best is one of them."""
    advice = advise("llama-2-13b", on=CARD, precision="int4", context_tokens=4096)

    assert "tight" == advice.asked.verdict
    assert kinds(advice)[:2] == ["as asked", "precision"]
    assert advice.best is not None
    assert "fits" == advice.best.verdict


def test_a_large_model_is_split_or_spread() -> None:
    """Weights beyond the card leave lighter formats, other programs, layers on the host and more cards."""
    advice = advise("llama-2-13b", on=CARD)

    assert {"precision", "engine", "layers on the host", "devices"} <= set(kinds(advice))
    split = next(option for option in advice.options if option.kind == "layers on the host")
    assert "llama.cpp" == split.estimate.engine
    assert "of 41 layers are computed on the host" in split.gives_up
    spread = advice.options[-1]
    assert f"{len(spread.estimate.devices)} × NVIDIA GeForce RTX 3060 12 GB" == spread.change


def test_layers_found_are_the_most() -> None:
    """One more layer on the device would not fit."""
    advice = advise("llama-2-13b", on=CARD, precision="fp16", engine="llama.cpp")
    split = next(option for option in advice.options if option.kind == "layers on the host")
    layers = int(split.change.rpartition("=")[2])
    more = estimate_vram("llama-2-13b", precision="fp16", engine=LlamaCpp(n_gpu_layers=layers + 1))

    assert not fits(more, CARD).fits


def test_a_long_context_is_shortened() -> None:
    """Weights that fit beside a cache that does not leave a shorter context, and fewer sequences."""
    advice = advise("llama-2-7b", on=CARD, precision="int4", engine="llama.cpp", context_tokens=4096, batch_size=8)
    context = next(option for option in advice.options if option.kind == "context")
    batch = next(option for option in advice.options if option.kind == "batch")

    assert context.change.startswith("context_tokens=")
    assert context.gives_up.endswith("tokens instead of 4,096.")
    assert batch.gives_up.endswith("at once instead of 8: the same work takes longer.")


def test_a_server_is_sharded() -> None:
    """More devices of a server share each layer, by its own setting."""
    advice = advise("llama-3.1-8b", on=CARD, engine="vllm", context_tokens=8192)

    assert "devices" == advice.options[-1].kind
    assert 4 == len(advice.options[-1].estimate.devices)  # 3 do not divide its 8 key/value heads


def test_a_pipeline_waits_in_host_memory() -> None:
    """Networks of an image pipeline may wait on the host."""
    advice = advise("flux.1-dev", on="rtx-4090-24gb")

    assert {"precision", "offload"} == set(kinds(advice))


def test_training_takes_smaller_steps() -> None:
    """A training run has no context to shorten, but steps."""
    asked = Training(method=Lora(rank=8), sequence_tokens=2048, micro_batch=16)
    advice = advise("llama-2-7b", asked, on="rtx-4090-24gb", precision="bf16")
    batch = next(option for option in advice.options if option.kind == "batch")

    assert batch.change.startswith("micro_batch=")
    assert "at once instead of 16" in batch.gives_up
    assert "context" not in kinds(advice)


def test_nothing_may_help() -> None:
    """A card too small for anything is said to be so."""
    card = evolve(get_accelerator(CARD), memory_bytes=GIB // 8, reported_memory_bytes=None)
    advice = advise("llama-2-70b", on=card)

    assert () == advice.options
    assert advice.best is None
    assert str(advice).endswith("\nno change that is known here makes it fit")


def test_the_most_likely_fit_is_best_where_none_is_sure() -> None:
    """Without a sure option the smallest change is the best."""
    advice = advise("llama-2-13b", on=CARD)
    tight = tuple(option for option in advice.options if option.verdict == "tight")

    assert tight[0] is Advice(asked=advice.asked, options=tight).best


def test_advice_is_shown_and_plain() -> None:
    """Text and Markdown hold a row an option; plain data goes through JSON."""
    advice = advise("llama-2-13b", on=CARD)
    data = json.loads(json.dumps(advice.to_dict()))

    assert len(advice.options) == len(data["options"])
    assert "does not fit" == data["asked"]["verdict"]
    assert str(advice).startswith("as asked, NVIDIA GeForce RTX 3060 12 GB: does not fit")
    for option, plain in zip(advice.options, data["options"], strict=True):
        assert option.change in str(advice)
        assert option.gives_up in advice._repr_markdown_()
        assert option.estimate.vram_bytes == plain["vram_bytes"]


def test_formats_fall_by_whole_bits() -> None:
    """One format for each whole number of bits, fewer than asked, each made for the engine."""
    request = Request(
        model=get_model("llama-2-7b"), weight_format=get_format("q8_0"), workload=Generation()
    )
    found = lighter_formats(request, get_engine("llama.cpp"), get_accelerator(CARD))
    bits = [int(each.bits_per_weight) for each in found]

    assert bits == sorted(set(bits), reverse=True)
    assert max(each.bits_per_weight for each in found) < get_format("q8_0").bits_per_weight
    assert {"gguf-q6_k", "gguf-q5_k_m", "gguf-q4_k_m"} <= {each.id for each in found}


def test_formats_need_what_the_device_has() -> None:
    """A format that needs a newer device is not proposed; where nothing is known of the device, it is."""
    request = Request(model=get_model("llama-2-7b"), weight_format=get_format("bf16"), workload=Generation())
    card = get_accelerator(CARD)

    def offered(capability: str | None) -> set[str]:
        device = evolve(card, compute_capability=capability)
        return {each.id for each in lighter_formats(request, get_engine("vllm"), device)}

    assert offered("5.0") < offered("12.0") | offered("5.0")
    assert offered("12.0") == offered(None)


def test_wrong_questions_are_refused() -> None:
    """An unknown device, and an engine that cannot run what is asked, are said."""
    with pytest.raises(UnknownNameError, match="accelerator 'abacus'"):
        advise("llama-2-7b", on="abacus")
    with pytest.raises(UnsupportedError, match="diffusers cannot run this"):
        advise("llama-2-7b", on=CARD, engine="diffusers")


@pytest.mark.property
@given(st.integers(-5, 50), st.integers(1, 20), st.integers(0, 40))
def test_search_finds_the_largest(limit: int, least: int, most: int) -> None:
    """The search is the slow look at every size."""
    slow: Any = max((size for size in range(least, most + 1) if size <= limit), default=0)

    assert slow == largest(lambda size: size <= limit, least, most)
