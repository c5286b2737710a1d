"""The longest context and the largest batch that a device holds."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings, strategies as st

from genai_hwreq.catalog import get_accelerator, get_model
from genai_hwreq.engines.llama_cpp import LlamaCpp
from genai_hwreq.engines.vllm import VLLM
from genai_hwreq.errors import QuantityError, UnknownNameError, UnsupportedError
from genai_hwreq.estimation import estimate_vram
from genai_hwreq.models import TransformerModel
from genai_hwreq.planning import fits
from genai_hwreq.planning.inverse import MaxBatch, MaxContext, max_batch, max_context
from genai_hwreq.units import GIB

CARD = "rtx-3060-12gb"
MODEL = "llama-3.1-8b"
RUNS = st.sampled_from(
    [
        {"precision": "q4_k_m", "engine": "llama.cpp"},
        {"precision": "int4", "engine": "transformers"},
        {"precision": "awq-int4-g128", "engine": "vllm"},
    ]
)


@pytest.mark.property
@settings(max_examples=25, deadline=None)
@given(RUNS, st.integers(1, 4), st.integers(1, 64), st.integers(6, 30))
def test_the_context_found_is_the_longest(run: dict[str, Any], batch: int, new: int, gib: int) -> None:
    """What is found fits, the next longer context does not, and the same holds at the upper bound."""
    card = evolve(get_accelerator(CARD), memory_bytes=gib * GIB, reported_memory_bytes=None)

    def verdict(tokens: int) -> str:
        estimate = estimate_vram(MODEL, batch_size=batch, context_tokens=tokens, new_tokens=new, **run)
        return fits(estimate, card).verdict

    found = max_context(MODEL, on=card, batch_size=batch, new_tokens=new, **run)

    assert found.safe_tokens <= found.tokens <= (get_model(MODEL).context_tokens or 0)  # type: ignore[union-attr]
    assert found.tokens == 0 or verdict(found.tokens) != "does not fit"
    assert found.safe_tokens == 0 or verdict(found.safe_tokens) == "fits"
    if found.limited_by == "memory":
        assert verdict(max(new, found.tokens + 1)) == "does not fit"
    if found.safe_tokens < found.tokens:
        assert verdict(max(new, found.safe_tokens + 1)) != "fits"


@pytest.mark.property
@settings(max_examples=25, deadline=None)
@given(RUNS, st.integers(1, 8192), st.integers(6, 30))
def test_the_batch_found_is_the_largest(run: dict[str, Any], context: int, gib: int) -> None:
    """What is found fits and one more does not."""
    card = evolve(get_accelerator(CARD), memory_bytes=gib * GIB, reported_memory_bytes=None)

    def verdict(size: int) -> str:
        return fits(estimate_vram(MODEL, batch_size=size, context_tokens=context, **run), card).verdict

    found = max_batch(MODEL, on=card, context_tokens=context, **run)

    assert found.limited_by == "memory"
    assert found.safe_batch_size <= found.batch_size
    assert found.batch_size == 0 or verdict(found.batch_size) != "does not fit"
    assert verdict(found.batch_size + 1) == "does not fit"
    assert found.safe_batch_size == 0 or verdict(found.safe_batch_size) == "fits"


def test_the_model_ends_the_context() -> None:
    """A card with room to spare leaves the model's own limit, even at the upper bound."""
    found = max_context("llama-2-7b", on="h100-sxm-80gb", precision="q4_k_m", engine="llama.cpp")

    assert (4096, 4096, "model") == (found.tokens, found.safe_tokens, found.limited_by)
    assert found.estimate == estimate_vram(
        "llama-2-7b", precision="q4_k_m", engine="llama.cpp", context_tokens=4096, new_tokens=1
    )
    assert str(found).startswith("4,096 tokens, the most the model was made for; 4,096 even at the upper bound. ")


def test_the_search_ends_where_nothing_else_does() -> None:
    """A network whose state does not grow, made for no stated length, is searched to the end."""
    model = get_model("mamba-2.8b")
    assert isinstance(model, TransformerModel)
    model = evolve(model, context_tokens=None)
    found = max_context(model, on=CARD, precision="q8_0", engine="llama.cpp")

    assert (2**24, "search") == (found.tokens, found.limited_by)
    assert "where the search ended" in str(found)


def test_nothing_fits_is_zero() -> None:
    """Weights larger than the device give zero, with the need that did not fit."""
    context = max_context(MODEL, on=CARD, precision="bf16", engine="llama.cpp")
    batch = max_batch(MODEL, on=CARD, precision="bf16", engine="llama.cpp")

    assert (0, 0, "memory") == (context.tokens, context.safe_tokens, context.limited_by)
    assert (0, 0, "memory") == (batch.batch_size, batch.safe_batch_size, batch.limited_by)
    assert not context.fit.fits
    assert str(context) == f"nothing: {context.fit}"
    assert str(batch) == f"nothing: {batch.fit}"


def test_images_have_a_batch_but_no_context() -> None:
    """How many images at once is found for their size; a context is refused."""
    small = max_batch("stable-diffusion-2.1", on=CARD, width_px=256, height_px=256)
    large = max_batch("stable-diffusion-2.1", on=CARD, width_px=768, height_px=768)

    assert small.batch_size > large.batch_size
    assert f"{small.batch_size:,} at once, then memory is full" in str(small)
    with pytest.raises(QuantityError, match="context_tokens"):
        max_context("stable-diffusion-2.1", on=CARD)


def test_a_server_that_fills_its_device_is_limited_by_its_pool() -> None:
    """Its memory is the same for any context; what ends the context is a pool that holds all sequences."""
    server = VLLM(gpu_memory_bytes=24 * GIB, enforce_eager=True, gpu_memory_utilization=0.8)

    def found(batch: int) -> MaxContext:
        return max_context(MODEL, on="rtx-4090", precision="bf16", engine=server, batch_size=batch)

    assert 0 < found(8).tokens < found(2).tokens
    assert found(2).limited_by == "memory"
    full = found(5000)
    assert full.tokens == 0
    assert "pool does not hold" in str(full)


def test_a_display_leaves_less() -> None:
    """What a screen keeps shortens the context."""
    run: dict[str, Any] = {"on": CARD, "precision": "q4_k_m", "engine": "llama.cpp"}

    assert max_context(MODEL, display_reserved_bytes=GIB, **run).tokens < max_context(MODEL, **run).tokens


def test_without_a_device_nothing_is_limited() -> None:
    """What runs elsewhere or on the host alone has no device to ask about."""
    with pytest.raises(UnsupportedError, match="nothing of it is on a device"):
        max_context("gpt-4o", on=CARD)
    with pytest.raises(UnsupportedError, match="nothing of it is on a device"):
        max_batch(MODEL, on=CARD, precision="q4_k_m", engine=LlamaCpp(use_device=False))


def test_wrong_questions_are_refused() -> None:
    """An unknown device and a negative count are said."""
    with pytest.raises(UnknownNameError, match="accelerator 'abacus'"):
        max_context(MODEL, on="abacus")
    with pytest.raises(QuantityError, match="new_tokens is -1"):
        max_context(MODEL, on=CARD, new_tokens=-1)


def test_a_number_of_parameters_is_enough() -> None:
    """The search has no limit of the model then, only the device's."""
    found = max_context(7_000_000_000, on=CARD, precision="int4")

    assert found.limited_by == "memory"
    assert isinstance(max_batch(7_000_000_000, on=CARD, precision="int4"), MaxBatch)
