"""What the ExLlama family has in common: the embedding stays on the host, the rest is dealt out by layers.

Next: exllama, exllamav2, exllamav3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genai_hwreq.engines._serving import file_component, refused_request, staged_memory, system_component
from genai_hwreq.engines._static import (
    cache_component,
    generation_phases,
    part,
    refused_cache,
    without_embedding,
    working_component,
)
from genai_hwreq.engines._tensor_parallel import stages
from genai_hwreq.engines._weights import weights_component
from genai_hwreq.formats import WeightFormat
from genai_hwreq.models import TransformerModel, model_inventory
from genai_hwreq.workloads import Generation

if TYPE_CHECKING:
    from genai_hwreq.engines._protocol import Memory, Request
    from genai_hwreq.estimates import Component, Phase
    from genai_hwreq.models import Transformer

__all__ = ["exllama_memory", "refused_exllama"]


def refused_exllama(request: Request, name: str, kv_cache: str) -> str | None:
    """Say why this cannot be run, or `None` where it can."""
    refusal = refused_request(request, name)
    if refusal:
        return refusal
    assert isinstance(request.model, TransformerModel)
    if request.placement.n_devices > request.model.decoder.n_layers:
        return f"{request.model.decoder.n_layers} layers cannot be dealt to {request.placement.n_devices} devices"
    return refused_cache(kv_cache)


def exllama_memory(request: Request, *, kv_cache: str, max_input_len: int, bytes_per_score: int) -> Memory:
    """Return the memory of a request.

    Args:
        request: what is asked.
        kv_cache: type of the cache.
        max_input_len: tokens of a prompt that pass at once.
        bytes_per_score: bytes of an attention score, copies included; zero where attention is fused.
    """
    model, workload, weight_format = request.model, request.workload, request.weight_format
    assert isinstance(model, TransformerModel)
    assert isinstance(workload, Generation)
    assert isinstance(weight_format, WeightFormat)

    def phases_of(stage: TransformerModel) -> tuple[Phase, ...]:
        weights = weights_component(model_inventory(stage), weight_format, 512)
        cache = cache_component(stage.decoder, workload.batch_size, workload.context_tokens, kv_cache)
        unpacked = _unpacked(stage.decoder)

        def passing(passed: int) -> tuple[Component, ...]:
            working = working_component(
                stage.decoder,
                batch_size=workload.batch_size,
                tokens=passed,
                seen_tokens=workload.context_tokens,
                logit_tokens=1,
                bytes_per_logit=4,
                bytes_per_score=bytes_per_score,
            )
            return weights, cache, working, unpacked, system_component()

        prompt_tokens = min(max_input_len, workload.prompt_tokens)
        return generation_phases((weights, cache, system_component()), prompt_tokens, passing)

    dealt = stages(without_embedding(model), request.placement.n_devices)
    return staged_memory(map(phases_of, dealt), file_component(model, weight_format))


def _unpacked(network: Transformer) -> Component:
    """Return the scratch into which the largest matrix is unpacked, and two rows of the feed-forward width a token."""
    elements = max(
        (
            tensor.shape[-1] * tensor.shape[-2]
            for run in network.layers
            for tensor in run.layer.tensors(network.hidden_dim)
            if len(tensor.shape) > 1
        ),
        default=0,
    )
    return part("compute_buffer", "largest matrix unpacked", 2 * elements, "elements * 2", (("elements", elements),))
