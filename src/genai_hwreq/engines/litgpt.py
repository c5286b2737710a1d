"""LitGPT: one sequence, a static cache, weights in 16 bit or quantised by bitsandbytes, the head included.

Methodology: docs/explanation/methodology/other-engines.md. Next: estimation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from attrs import evolve, frozen

from genai_hwreq.engines._serving import file_component, refused_request, staged_memory, system_component
from genai_hwreq.engines._static import (
    cache_component,
    generation_phases,
    part,
    refused_cache,
    working_component,
)
from genai_hwreq.engines._training import training_memory, training_refusal
from genai_hwreq.engines._training_plan import Habits
from genai_hwreq.engines._weights import weights_component
from genai_hwreq.formats import PlainType, WeightFormat
from genai_hwreq.models import Transformer, TransformerModel, model_inventory
from genai_hwreq.units import MIB
from genai_hwreq.workloads import Generation, Training

if TYPE_CHECKING:
    from genai_hwreq.engines._protocol import Memory, Request
    from genai_hwreq.estimates import Component

__all__ = ["LitGPT"]

_TRAINING_HABITS = Habits(
    optimizer="adamw",
    precision="bf16",
    gradient_checkpointing="none",
    adapter_bytes=2,
    logits="held",
    keeps_quantized_inputs=True,
    joined_queries=True,
    adapter_dropout=True,
    high_percent=180,
)
"""Fine-tuning in pure bf16, adapters too, without checkpointing.

Source: https://github.com/Lightning-AI/litgpt/blob/main/litgpt/finetune/lora.py
"""


@frozen(kw_only=True)
class LitGPT:
    """LitGPT's `generate`.

    Examples:
        >>> LitGPT().name
        'litgpt'

    """

    name: ClassVar[str] = "litgpt"

    kv_cache: str = "bf16"
    """Type of the cache."""

    def refuses(self, request: Request) -> str | None:
        """Say why this cannot be run, or `None` where it can."""
        if isinstance(request.workload, Training):
            return training_refusal(request)
        if request.placement.n_devices > 1:
            return "it runs on one device here"
        return refused_request(request, self.name) or refused_cache(self.kv_cache)

    def memory(self, request: Request) -> Memory:
        """Turn a request into memory, phase by phase, device by device."""
        if isinstance(request.workload, Training):
            assert isinstance(request.model, TransformerModel)
            return training_memory(evolve(request, model=_untied(request.model)), _TRAINING_HABITS)
        model, workload, stated = request.model, request.workload, request.weight_format
        assert isinstance(model, TransformerModel)
        assert isinstance(workload, Generation)
        assert isinstance(stated, WeightFormat)
        held = _untied(model)
        quantised = not isinstance(stated.matrices, PlainType)
        weight_format = evolve(stated, head=stated.matrices) if quantised else stated
        weights = weights_component(model_inventory(held), weight_format, 512)
        cache = cache_component(model.decoder, workload.batch_size, workload.context_tokens, self.kv_cache)
        head = (_whole_head(model.decoder),) if quantised else ()
        workspace = part(
            "compute_buffer", "cuBLAS workspace", 8 * MIB, "workspace_bytes", (("workspace_bytes", 8 * MIB),)
        )

        def passing(passed: int) -> tuple[Component, ...]:
            working = working_component(
                model.decoder,
                batch_size=workload.batch_size,
                tokens=passed,
                seen_tokens=workload.context_tokens,
                logit_tokens=passed,
                bytes_per_logit=2,
            )
            return weights, cache, working, *head, workspace, system_component()

        phases = generation_phases((weights, system_component()), workload.prompt_tokens, passing)
        return staged_memory((phases,), file_component(model, stated))


def _untied(model: TransformerModel) -> TransformerModel:
    """Give a tied model a head of its own: LitGPT's models have one, whatever the checkpoint shares."""
    network = model.decoder
    if not network.tied:
        return model
    copies = tuple(evolve(tensor, role="head") for tensor in network.embeddings if tensor.role == "embedding")
    return evolve(model, decoder=evolve(network, head=(*network.head, *copies)))


def _whole_head(network: Transformer) -> Component:
    """Return the head made whole again for its product, in the format's type and copied into the compute type."""
    inputs = (("vocab_size", network.vocab_size), ("hidden_dim", network.hidden_dim))
    size = network.vocab_size * network.hidden_dim * 4
    return part("activations", "head in 16 bit, twice", size, "vocab_size * hidden_dim * 4", inputs)
