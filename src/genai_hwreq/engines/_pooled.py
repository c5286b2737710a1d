"""What engines have in common that serve from a pool of cache blocks and shard every layer; vLLM has its own file.

Next: sglang, tgi, tensorrt_llm, lmdeploy, mlc_llm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from genai_hwreq.engines._block_pool import Rest, pool_component, pool_of
from genai_hwreq.engines._paged_cache import CACHE_BITS, paged_cache
from genai_hwreq.engines._protocol import Memory, Request
from genai_hwreq.engines._serving import file_component, staged_host, system_component
from genai_hwreq.engines._static import working_component
from genai_hwreq.engines._tensor_parallel import share_of_model
from genai_hwreq.engines._weights import weights_component
from genai_hwreq.estimates import Assumption, Component, DeviceMemory, Phase
from genai_hwreq.formats import WeightFormat
from genai_hwreq.formulas.weights import ceil_div
from genai_hwreq.models import TransformerModel, model_inventory
from genai_hwreq.ranges import ByteRange
from genai_hwreq.units import MIB
from genai_hwreq.workloads import Generation

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Serving", "pooled_memory"]

_OUTSIDE = ByteRange(64 * MIB, 256 * MIB, 2048 * MIB)
"""Communication buffers and kernels' own memory: nothing was measured for these engines, vLLM takes 130 MiB to 2 GiB."""


@frozen(kw_only=True)
class Serving:
    """How an engine serves: its settings, in words that all of these share."""

    n_shards: int
    """Devices that share each layer."""

    cache_type: str
    """Type of the cache."""

    block_tokens: int
    """Tokens of a cache block."""

    pool_tokens: int | None
    """Tokens of the pool where they are set."""

    step_tokens: int
    """Most tokens of a step."""

    sequences: int
    """Most sequences that are sampled at once."""


def pooled_memory(request: Request, serving: Serving, room: Callable[[int, int], int | None]) -> Memory:
    """Return the memory of a request.

    Args:
        request: what is asked.
        serving: how the engine serves.
        room: takes the bytes of weights and of a step's tensors on a device; returns those the engine leaves for the
            pool, `None` where the device is not known.
    """
    model, workload, weight_format = request.model, request.workload, request.weight_format
    assert isinstance(model, TransformerModel)
    assert isinstance(workload, Generation)
    assert isinstance(weight_format, WeightFormat)
    share = share_of_model(model, serving.n_shards)
    weights = weights_component(model_inventory(share), weight_format, 512)
    working = (_step(share, workload, serving), _logits_gathered(model, serving))
    held = room(weights.bytes, sum(part.bytes for part in working))
    pool = _pool(share, workload, serving, held)
    common = (weights, *working, _outside(), system_component())
    phases = (
        Phase(name="load", components=(weights, system_component())),
        Phase(name="serve", components=(*common, pool)),
    )
    file = file_component(model, weight_format)
    devices = tuple(DeviceMemory(name=f"gpu:{index}", phases=phases) for index in range(serving.n_shards))
    assumptions = () if held is not None or serving.pool_tokens else (_AS_NEEDED,)
    return Memory(devices=devices, host=staged_host(file), disk=(file,), assumptions=assumptions)


_AS_NEEDED = Assumption(
    code="cache-as-needed",
    text="the cache is as large as the request needs; give the engine its device's memory for how it fills one",
)


def _step(share: TransformerModel, workload: Generation, serving: Serving) -> Component:
    return working_component(
        share.decoder,
        batch_size=1,
        tokens=min(serving.step_tokens, workload.batch_size * workload.prompt_tokens),
        seen_tokens=workload.context_tokens,
        logit_tokens=0,
        bytes_per_logit=0,
    )


def _logits_gathered(model: TransformerModel, serving: Serving) -> Component:
    """Return the sampled logits: 2 bytes as computed and 4 in 32 bit; what else an engine's sampler holds varies."""
    inputs = (("sequences", serving.sequences), ("vocab_size", model.decoder.vocab_size))
    size = serving.sequences * model.decoder.vocab_size * 6
    interval = ByteRange(size // 2, size, 6 * size)
    return Component("logits", "logits", size, "sequences * vocab_size * 6", inputs, "modelled", None, interval)


def _pool(share: TransformerModel, workload: Generation, serving: Serving, room: int | None) -> Component:
    cache = paged_cache(share.decoder, CACHE_BITS[serving.cache_type], grouped=False)
    sequence = cache.sequence_bytes(workload.context_tokens, serving.step_tokens, serving.block_tokens)
    blocks = ceil_div(serving.pool_tokens, serving.block_tokens) if serving.pool_tokens else None
    pool = pool_of(
        cache,
        Rest(parts=(), budget_bytes=room),
        block_tokens=serving.block_tokens,
        n_blocks=blocks,
        sequence_bytes=sequence,
        n_sequences=workload.batch_size,
    )
    found = pool_component(pool, cache)
    if pool.interval is None:
        return found
    interval = ByteRange(found.bytes * 4 // 5, found.bytes, found.bytes * 11 // 10)
    return Component(found.kind, found.name, found.bytes, found.formula, found.inputs, "assumed", None, interval)


def _outside() -> Component:
    size = _OUTSIDE.likely
    return Component(
        "runtime", "outside the allocator", size, "assumed", (("assumed", size),), "assumed", None, _OUTSIDE
    )
