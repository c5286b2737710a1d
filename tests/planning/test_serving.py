"""What the pool of a server holds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from genai_hwreq.engines.sglang import SGLang
from genai_hwreq.engines.vllm import VLLM
from genai_hwreq.errors import UnsupportedError
from genai_hwreq.estimation import estimate_vram
from genai_hwreq.planning.serving import serving_capacity
from genai_hwreq.units import GIB

MODEL = "llama-3.1-8b"
RUN: dict[str, Any] = {"precision": "bf16", "context_tokens": 4096}


def test_a_set_pool_is_exact() -> None:
    """So many blocks of so many tokens, without an interval."""
    server = VLLM(num_gpu_blocks_override=1000, block_size=16)
    capacity = serving_capacity(estimate_vram(MODEL, engine=server, **RUN))

    assert (16_000, 16_000, 16_000) == (capacity.least_tokens, capacity.pool_tokens, capacity.most_tokens)
    assert capacity.n_sequences == 3
    assert not capacity.as_needed
    assert str(capacity) == "vllm: 16,000 tokens, 3 sequences at once"


def test_a_pool_as_needed_says_so() -> None:
    """Without the device's memory the pool is what the workload needs."""
    capacity = serving_capacity(estimate_vram(MODEL, engine="sglang", **RUN))

    assert (4096, 1, True) == (capacity.pool_tokens, capacity.n_sequences, capacity.as_needed)
    assert str(capacity) == (
        "sglang: 4,096 tokens, 1 sequence at once; as large as the workload needs, the device's memory was not given"
    )


def test_shards_hold_the_same_tokens() -> None:
    """Two devices that share each layer hold more tokens than one, not twice their own."""
    one = serving_capacity(estimate_vram(MODEL, engine=VLLM(gpu_memory_bytes=40 * GIB), **RUN))
    two = serving_capacity(
        estimate_vram(MODEL, engine=VLLM(gpu_memory_bytes=40 * GIB, tensor_parallel_size=2), **RUN)
    )

    assert two.pool_tokens > 2 * one.pool_tokens
    assert f"({one.least_tokens:,} to {one.most_tokens:,})" in str(one)


def test_the_smallest_stage_counts() -> None:
    """With unequal stages a sequence needs room on each."""
    server = VLLM(gpu_memory_bytes=40 * GIB, pipeline_parallel_size=3)
    estimate = estimate_vram(MODEL, engine=server, **RUN)
    pools = [
        dict(part.inputs)["pool_tokens"]
        for device in estimate.devices
        for part in device.phases[-1].components
        if part.kind == "kv_cache"
    ]

    assert min(pools) == serving_capacity(estimate).pool_tokens


def test_without_a_pool_it_is_refused() -> None:
    """An engine that keeps a cache for each run has no capacity to ask for."""
    with pytest.raises(UnsupportedError, match="transformers cannot run this: it keeps no pool"):
        serving_capacity(estimate_vram(MODEL, engine="transformers", **RUN))


@pytest.mark.property
@settings(max_examples=30, deadline=None)
@given(st.sampled_from([VLLM, SGLang]), st.integers(20, 140), st.integers(0, 60), st.integers(1, 32_768))
def test_more_memory_never_holds_less(server: Any, gib: int, more: int, context: int) -> None:
    """A larger device holds at least as many tokens and sequences, bounds in order.

    Devices of one class only: from 70 GiB on vLLM takes larger steps, which leave less.
    """
    if server is VLLM and gib < 70 <= gib + more:
        more = 0
    small, large = (
        serving_capacity(
            estimate_vram(
                MODEL, engine=server(gpu_memory_bytes=size * GIB), precision="bf16", context_tokens=context
            )
        )
        for size in (gib, gib + more)
    )

    assert small.least_tokens <= small.pool_tokens <= small.most_tokens
    assert small.pool_tokens <= large.pool_tokens
    assert small.n_sequences <= large.n_sequences
