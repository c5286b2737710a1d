"""CTranslate2: one sequence after another, every matrix quantised alike, embeddings too; a caching allocator.

Methodology: docs/explanation/methodology/other-engines.md. Next: estimation.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, ClassVar

from attrs import evolve, frozen

from genai_hwreq.engines._serving import file_component, refused_request, staged_memory, system_component
from genai_hwreq.engines._static import (
    cache_component,
    fitted_component,
    generation_phases,
    working_component,
)
from genai_hwreq.engines._weights import weights_component
from genai_hwreq.estimates import Component, Fitted
from genai_hwreq.formats import GroupType, PlainType, WeightFormat
from genai_hwreq.models import TransformerModel, model_inventory
from genai_hwreq.provenance import Source
from genai_hwreq.units import GIB, MIB
from genai_hwreq.workloads import Generation

if TYPE_CHECKING:
    from genai_hwreq.engines._protocol import Memory, Request

__all__ = ["CTranslate2"]

_HELD = Fitted(
    value=2350 * MIB,
    fitted_on="3 runs of one 7B model at 4, 2 and 1 bytes a weight on an A100, beyond weights, cache and context",
    engine_versions="4",
    source=Source(
        title="premAI benchmarks, GPU memory consumption by engine",
        as_of=date(2026, 11, 22),
        url="https://github.com/premAI-io/benchmarks/blob/main/README.md",
    ),
)
"""Buffers that the allocator keeps, and libraries."""


@frozen(kw_only=True)
class CTranslate2:
    """CTranslate2's `Generator`.

    Examples:
        >>> CTranslate2().name
        'ctranslate2'

    """

    name: ClassVar[str] = "ctranslate2"

    def refuses(self, request: Request) -> str | None:
        """Say why this cannot be run, or `None` where it can."""
        if request.placement.n_devices > 1:
            return "it runs on one device here"
        refusal = refused_request(request, self.name)
        if refusal:
            return refusal
        storage = request.weight_format.matrices  # type: ignore[union-attr]  # recipes were refused
        plain = isinstance(storage, PlainType) or (isinstance(storage, GroupType) and not storage.group_elements)
        return None if plain else f"it stores 16- or 32-bit numbers or one scale a row, not {request.weight_format.id}"

    def memory(self, request: Request) -> Memory:
        """Turn a request into memory, phase by phase, device by device."""
        model, workload, stated = request.model, request.workload, request.weight_format
        assert isinstance(model, TransformerModel)
        assert isinstance(workload, Generation)
        assert isinstance(stated, WeightFormat)
        weight_format = evolve(stated, embedding=stated.matrices, head=stated.matrices)
        weights = weights_component(model_inventory(model), weight_format, 512)
        wide = isinstance(stated.matrices, PlainType) and stated.matrices.bits > 16
        cache = cache_component(model.decoder, workload.batch_size, workload.context_tokens, "fp32" if wide else "fp16")
        held = fitted_component("fragmentation", "buffers the allocator keeps", _HELD, 128 * MIB, 3 * GIB)

        def passing(passed: int) -> tuple[Component, ...]:
            working = working_component(
                model.decoder,
                batch_size=workload.batch_size,
                tokens=passed,
                seen_tokens=workload.context_tokens,
                logit_tokens=1,
                bytes_per_logit=4,
                bytes_per_score=4,
                element_bytes=4 if wide else 2,
            )
            return weights, cache, working, held, system_component()

        phases = generation_phases((weights, system_component()), workload.prompt_tokens, passing)
        return staged_memory((phases,), file_component(model, weight_format))
