"""gpt-fast: one sequence, a static cache, compiled graphs; also torchao's generation benchmark, which is built on it.

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
    refused_cache,
    working_component,
)
from genai_hwreq.engines._weights import weights_component
from genai_hwreq.estimates import Component, Fitted
from genai_hwreq.formats import PlainType, WeightFormat
from genai_hwreq.formulas.weights import aligned
from genai_hwreq.models import TransformerModel, model_inventory
from genai_hwreq.provenance import Source
from genai_hwreq.units import GIB, MIB
from genai_hwreq.workloads import Generation

if TYPE_CHECKING:
    from genai_hwreq.engines._protocol import Memory, Request

__all__ = ["GptFast"]

_TABLE = Source(
    title="torchao quantization README, peak memory column",
    as_of=date(2026, 11, 22),
    url="https://github.com/pytorch/ao/blob/main/torchao/quantization/README.md",
)
_PLAIN_SPARE = Fitted(value=260 * MIB, fitted_on="3 runs in 16 bit", engine_versions="torchao 0.5", source=_TABLE)
"""Graph pool and segments that the allocator holds beside the tensors."""

_QUANTISED_SPARE = Fitted(
    value=1280 * MIB, fitted_on="6 runs of 7B and 8B models at 4, 6 and 8 bits", engine_versions="torchao 0.5", source=_TABLE
)
"""The same where weights were quantised on the device: segments of the 16-bit matrices stay."""

_POSITIONS = 8
"""The cache's length is rounded up to this.

Source: https://github.com/pytorch-labs/gpt-fast/blob/main/model.py, `find_multiple`
"""


@frozen(kw_only=True)
class GptFast:
    """gpt-fast and torchao's `generate.py`.

    Examples:
        >>> GptFast().name
        'gpt-fast'

    """

    name: ClassVar[str] = "gpt-fast"

    kv_cache: str = "bf16"
    """Type of the cache."""

    def refuses(self, request: Request) -> str | None:
        """Say why this cannot be run, or `None` where it can."""
        if request.placement.n_devices > 1:
            return "it runs on one device here"
        return refused_request(request, self.name) or refused_cache(self.kv_cache)

    def memory(self, request: Request) -> Memory:
        """Turn a request into memory, phase by phase, device by device."""
        model, workload, stated = request.model, request.workload, request.weight_format
        assert isinstance(model, TransformerModel)
        assert isinstance(workload, Generation)
        assert isinstance(stated, WeightFormat)
        weight_format = evolve(stated, head=stated.matrices)  # every linear layer is quantised, the head too
        weights = weights_component(model_inventory(model), weight_format, 512)
        tokens = aligned(workload.context_tokens, _POSITIONS)
        cache = cache_component(model.decoder, workload.batch_size, tokens, self.kv_cache)
        if isinstance(weight_format.matrices, PlainType):
            spare = fitted_component("fragmentation", "graph pool and held segments", _PLAIN_SPARE, 128 * MIB, 512 * MIB)
        else:
            spare = fitted_component("fragmentation", "segments left by quantising", _QUANTISED_SPARE, 512 * MIB, 2 * GIB)

        def passing(passed: int) -> tuple[Component, ...]:
            working = working_component(
                model.decoder,
                batch_size=workload.batch_size,
                tokens=passed,
                seen_tokens=tokens,
                logit_tokens=passed,
                bytes_per_logit=2,
            )
            return weights, cache, working, spare, system_component()

        phases = generation_phases((weights, system_component()), workload.prompt_tokens, passing)
        return staged_memory((phases,), file_component(model, weight_format))
