"""AutoAWQ: Transformers' models with AWQ matrices; fused layers, whose cache is allocated in full.

Methodology: docs/explanation/methodology/other-engines.md. Next: estimation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from attrs import evolve, field, frozen

from genai_hwreq._validators import optional_positive
from genai_hwreq.engines._serving import file_component, refused_request, staged_memory, system_component
from genai_hwreq.engines._static import cache_component, generation_phases, part, working_component
from genai_hwreq.engines._tensor_parallel import stages
from genai_hwreq.engines._weights import storage_of, stored_bytes, weights_component
from genai_hwreq.estimates import Component, Phase
from genai_hwreq.formats import WeightFormat
from genai_hwreq.models import Attention, Transformer, TransformerModel, model_inventory
from genai_hwreq.ranges import ByteRange
from genai_hwreq.workloads import Generation

if TYPE_CHECKING:
    from genai_hwreq.engines._protocol import Memory, Request

__all__ = ["AutoAWQ"]

_FUSED_ROLES = frozenset({"attention_q", "attention_k", "attention_v"})


@frozen(kw_only=True)
class AutoAWQ:
    """AutoAWQ's `from_quantized` and `generate`.

    Examples:
        >>> AutoAWQ(max_seq_len=4096).name
        'autoawq'

    """

    name: ClassVar[str] = "autoawq"

    max_seq_len: int | None = field(default=None, validator=optional_positive)
    """Tokens that the cache is allocated for; `None`: the workload's."""

    def refuses(self, request: Request) -> str | None:
        """Say why this cannot be run, or `None` where it can."""
        refusal = refused_request(request, self.name)
        if refusal:
            return refusal
        assert isinstance(request.model, TransformerModel)
        if request.placement.n_devices > request.model.decoder.n_layers:
            return f"{request.model.decoder.n_layers} layers cannot be dealt to {request.placement.n_devices} devices"
        return None

    def memory(self, request: Request) -> Memory:
        """Turn a request into memory, phase by phase, device by device."""
        model, workload, weight_format = request.model, request.workload, request.weight_format
        assert isinstance(model, TransformerModel)
        assert isinstance(workload, Generation)
        assert isinstance(weight_format, WeightFormat)
        tokens = self.max_seq_len or workload.context_tokens
        phases = [
            _phases(stage, workload, weight_format, tokens) for stage in stages(model, request.placement.n_devices)
        ]
        return staged_memory(phases, file_component(model, weight_format))


def _phases(
    model: TransformerModel, workload: Generation, weight_format: WeightFormat, tokens: int
) -> tuple[Phase, ...]:
    network = model.decoder
    weights = weights_component(model_inventory(model), weight_format, 512)
    cache = cache_component(network, workload.batch_size, tokens)
    loaded = (_unfused(network, weight_format), *_unstacked(network, weight_format))
    spare = _spare(sum(made.bytes for made in loaded))

    def passing(passed: int) -> tuple[Component, ...]:
        working = working_component(
            _with_logits(network, model),
            batch_size=workload.batch_size,
            tokens=passed,
            seen_tokens=workload.context_tokens if passed == 1 else passed,
            logit_tokens=passed,
            bytes_per_logit=6,
            bytes_per_score=_SCORE_BYTES if _has_grouped_heads(network) else 0,
        )
        return weights, cache, working, spare, system_component()

    return generation_phases((weights, *loaded, system_component()), workload.prompt_tokens, passing)


_SCORE_BYTES = 8
"""Bytes of a score where heads share keys: 2 as computed, 4 in the softmax, 2 as its result. With a key head for
each query head the fused layers go through flash attention."""


def _has_grouped_heads(network: Transformer) -> bool:
    return any(
        isinstance(mixer, Attention) and mixer.n_kv_heads < mixer.n_heads
        for run in network.layers
        for mixer in run.layer.mixers
    )


def _with_logits(network: Transformer, model: TransformerModel) -> Transformer:
    """Return the layers of a stage; logits are made on the last one only, where head and norm are."""
    return network if model.decoder.closing else evolve(network, vocab_size=0)


def _unfused(network: Transformer, weight_format: WeightFormat) -> Component:
    """Return queries', keys' and values' matrices as loaded, while the matrix is made that fuses the three."""
    size = sum(
        run.n_layers * stored_bytes(tensor, storage_of(tensor, weight_format))
        for run in network.layers
        for tensor in run.layer.tensors(network.hidden_dim)
        if tensor.role in _FUSED_ROLES
    )
    return part("compute_buffer", "matrices before they were fused", size, "unfused_bytes", (("unfused_bytes", size),))


def _unstacked(network: Transformer, weight_format: WeightFormat) -> tuple[Component, ...]:
    """Return one layer's experts as loaded, while they are stacked."""
    size = max(
        (
            sum(
                stored_bytes(tensor, weight_format.experts)
                for tensor in run.layer.tensors(network.hidden_dim)
                if tensor.role.startswith("expert_")
            )
            for run in network.layers
        ),
        default=0,
    )
    if not size:
        return ()
    return (part("compute_buffer", "experts before they were stacked", size, "stacked_bytes", (("stacked_bytes", size),)),)


def _spare(loaded_bytes: int) -> Component:
    """Return what the allocator keeps of the load: the space of matrices that were fused is not given back."""
    interval = ByteRange(0, loaded_bytes, 4 * loaded_bytes)
    return Component(
        "fragmentation", "space of matrices before they were fused", loaded_bytes, "loaded_bytes",
        (("loaded_bytes", loaded_bytes),), "modelled", None, interval,
    )
