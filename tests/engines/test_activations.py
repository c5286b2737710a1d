"""Working memory of a pass through a decoder: worked examples against simulated allocations, and laws.

The figures were simulated tensor by tensor (torch 2.13, transformers 5.23); `validation/simulate_allocation.py`
repeats them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import pytest
from attrs import evolve
from hypothesis import given, settings, strategies as st

from formula_text import evaluate
from genai_hwreq.engines._held import Held, Moment, Pass
from genai_hwreq.engines._transformers_passes import pass_components
from genai_hwreq.readers.hf_config import read_config
from simulated_activations import CONFIGS, RUNS, Run

if TYPE_CHECKING:
    from genai_hwreq.estimates import Component
    from genai_hwreq.models import TransformerModel

UNFUSED = ("falcon",)
"""Configurations for which PyTorch's fused attention falls back to the unfused one, in 32 bit."""


@lru_cache
def model(config: str) -> TransformerModel:
    """Read one of the configurations."""
    return read_config(CONFIGS[config])


def one_pass(config: str, batch_size: int, tokens: int, *, step: bool, eager: bool, padded: bool) -> Pass:
    """Return a prefill of `tokens`, or the first step after them."""
    return Pass(
        batch_size=batch_size,
        tokens=1 if step else tokens,
        seen_tokens=tokens + step,
        element_bytes=2,
        logit_tokens=1,
        bytes_per_logit=2,
        eager=eager,
        padded=padded,
        first_step=step,
        position_limit=model(config).context_tokens or 0,
    )


def components(config: str, run: Pass) -> tuple[Component, ...]:
    """Return what a pass through a configuration holds."""
    return pass_components(model(config).decoder, run)


def working_bytes(config: str, run: Pass) -> int:
    """Return the bytes that a pass through a configuration holds."""
    return sum(part.bytes for part in components(config, run))


def modelled_bytes(simulated: Run) -> int:
    """Return our figure for a simulated pass."""
    run = one_pass(
        simulated.config,
        simulated.batch_size,
        simulated.prompt_tokens,
        step=simulated.stage == "decode",
        eager=simulated.attention == "eager",
        padded=simulated.padded,
    )
    size = simulated.element_bytes
    logit_tokens = run.tokens if simulated.all_logits else 1
    run = evolve(run, logit_tokens=logit_tokens, element_bytes=size, bytes_per_logit=size)
    return working_bytes(simulated.config, run)


@pytest.mark.parametrize("simulated", RUNS, ids=lambda run: "-".join(str(part) for part in run[1:]))
def test_working_memory_is_what_the_model_code_allocates(simulated: Run) -> None:
    """The largest moment's tensors add up to the simulated peak, within half a per cent."""
    assert simulated.simulated_bytes == pytest.approx(modelled_bytes(simulated), rel=0.005)


def test_most_passes_are_matched_almost_to_the_byte() -> None:
    """Nine in ten of the simulated passes are within a fifth of a per cent."""
    errors = sorted(abs(modelled_bytes(run) / run.simulated_bytes - 1) for run in RUNS)
    assert errors[len(errors) * 9 // 10] < 0.002


configs = st.sampled_from(sorted(CONFIGS))
batches = st.integers(1, 5)
lengths = st.integers(2, 5000)


@given(configs, batches, lengths, st.booleans(), st.booleans(), st.booleans(), st.sampled_from([2, 4]))
@settings(max_examples=300)
def test_formulas_evaluate_to_the_bytes(
    config: str, batch_size: int, tokens: int, step: bool, eager: bool, padded: bool, element_bytes: int
) -> None:
    """Every component's formula text gives its bytes."""
    run = one_pass(config, batch_size, tokens, step=step, eager=eager, padded=padded)
    for part in components(config, evolve(run, element_bytes=element_bytes)):
        assert part.bytes == evaluate(part)


@given(configs, batches, lengths, st.integers(1, 1000), st.booleans(), st.booleans(), st.booleans())
@settings(max_examples=300)
def test_more_tokens_never_need_less(
    config: str, batch_size: int, tokens: int, more: int, step: bool, eager: bool, padded: bool
) -> None:
    """A longer prompt, or a step that sees more of them, never needs less."""
    short = one_pass(config, batch_size, tokens, step=step, eager=eager, padded=padded)
    long = one_pass(config, batch_size, tokens + more, step=step, eager=eager, padded=padded)
    assert working_bytes(config, short) <= working_bytes(config, long)


@given(configs, batches, lengths, st.booleans(), st.booleans(), st.booleans())
@settings(max_examples=300)
def test_more_sequences_never_need_less(
    config: str, batch_size: int, tokens: int, step: bool, eager: bool, padded: bool
) -> None:
    """Another sequence never needs less."""
    few = one_pass(config, batch_size, tokens, step=step, eager=eager, padded=padded)
    many = evolve(few, batch_size=batch_size + 1)
    assert working_bytes(config, few) <= working_bytes(config, many)


@given(configs.filter(lambda name: name not in UNFUSED), batches, lengths, st.booleans(), st.booleans())
@settings(max_examples=300)
def test_eager_attention_never_needs_less(
    config: str, batch_size: int, tokens: int, step: bool, padded: bool
) -> None:
    """Scores held in full never need less than fused attention."""
    fused = one_pass(config, batch_size, tokens, step=step, eager=False, padded=padded)
    assert working_bytes(config, fused) <= working_bytes(config, evolve(fused, eager=True))


@pytest.mark.parametrize("config", UNFUSED)
def test_one_key_head_can_make_fused_attention_the_dearer(config: str) -> None:
    """Where fused attention is refused, the fallback's 32-bit copies exceed eager attention's 16-bit ones."""
    fused = one_pass(config, 4, 512, step=True, eager=False, padded=True)
    assert working_bytes(config, fused) > working_bytes(config, evolve(fused, eager=True))


@given(configs, lengths, st.booleans(), st.booleans())
@settings(max_examples=200)
def test_padding_never_needs_less(config: str, tokens: int, step: bool, eager: bool) -> None:
    """A padding mask never makes a pass cheaper."""
    plain = one_pass(config, 4, tokens, step=step, eager=eager, padded=False)
    assert working_bytes(config, plain) <= working_bytes(config, evolve(plain, padded=True))


@given(configs, batches, lengths, st.booleans())
@settings(max_examples=200)
def test_wider_elements_never_need_less(config: str, batch_size: int, tokens: int, step: bool) -> None:
    """Computing in 32 bit never needs less than in 16; eager scores may, as 16-bit ones are copied to 32."""
    half = one_pass(config, batch_size, tokens, step=step, eager=False, padded=False)
    whole = evolve(half, element_bytes=4, bytes_per_logit=4)
    assert working_bytes(config, half) <= working_bytes(config, whole)


@pytest.mark.parametrize("step", [False, True])
def test_shared_heads_in_32_bit_are_attended_to_unfused(step: bool) -> None:
    """No fused kernel takes 32-bit queries that share key heads, so that scores are held in full."""
    fused = one_pass("small_llama", 1, 2048, step=step, eager=False, padded=False)
    unfused = evolve(fused, element_bytes=4, bytes_per_logit=4)
    assert not any(part.kind == "attention" for part in components("small_llama", fused))
    assert any(part.kind == "attention" for part in components("small_llama", unfused))


def test_a_cut_prompt_is_only_held_in_the_first_step() -> None:
    """Once the first step has cut a prompt to the window, sliding layers replace a window's rows at most."""
    first = one_pass("mistral_swa", 1, 4096, step=True, eager=False, padded=False)
    later = evolve(first, first_step=False)
    row_bytes = 2 * 8 * 128 * 2
    assert (4096 - 1024) * row_bytes * 5 == working_bytes("mistral_swa", first) - working_bytes(
        "mistral_swa", later
    )


def test_missing_caches_are_never_more_than_the_stream() -> None:
    """A moment early in a pass is credited later layers' caches up to its stream, and never below nothing."""
    stream = Held("residual stream", 2, 64, 2)
    moment = Moment(name="layer", stream=stream, uncached_token_bytes=1000)
    run = one_pass("llama", 1, 64, step=False, eager=False, padded=False)
    (part,) = moment.components(run)
    assert [part.bytes, evaluate(part), moment.bytes_in(run)] == [0, 0, 0]
