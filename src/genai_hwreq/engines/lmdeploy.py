"""LMDeploy (TurboMind): the cache takes a set share of what is free once the weights are loaded.

Methodology: docs/explanation/methodology/other-engines.md. Next: estimation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from attrs import field, frozen

from genai_hwreq._validators import optional_positive, positive
from genai_hwreq.engines._pooled import Serving, pooled_memory
from genai_hwreq.engines._runtime import CUDA_CONTEXT_BYTES
from genai_hwreq.engines._serving import refused_serving

if TYPE_CHECKING:
    from genai_hwreq.engines._protocol import Memory, Request

__all__ = ["LMDeploy"]


@frozen(kw_only=True)
class LMDeploy:
    """LMDeploy, by its own settings.

    Without `gpu_memory_bytes` the cache is as large as the workload needs.

    Examples:
        >>> LMDeploy(tp=2).name
        'lmdeploy'

    """

    name: ClassVar[str] = "lmdeploy"

    gpu_memory_bytes: int | None = field(default=None, validator=optional_positive)
    """Total memory of a device, as its driver reports it; `None`: not known."""

    cache_max_entry_count: float = 0.8
    """Share of what is free after loading that the cache takes."""

    tp: int = field(default=1, validator=positive)
    """Devices that share each layer."""

    quant_policy: str = "auto"
    """Type of the cache."""

    max_cache_tokens: int | None = field(default=None, validator=optional_positive)
    """Tokens that the cache holds; `None`: as many as there is room for."""

    max_prefill_token_num: int = field(default=8192, validator=positive)
    """Most tokens of a prompt that pass at once."""

    max_batch_size: int = field(default=128, validator=positive)
    """Most sequences of a step."""

    def refuses(self, request: Request) -> str | None:
        """Say why this cannot be run, or `None` where it can."""
        return refused_serving(request, self.name, self.quant_policy, self.tp, self.tp)

    def memory(self, request: Request) -> Memory:
        """Turn a request into memory, phase by phase, device by device."""
        serving = Serving(
            n_shards=self.tp,
            cache_type=self.quant_policy,
            block_tokens=64,
            pool_tokens=self.max_cache_tokens,
            step_tokens=self.max_prefill_token_num,
            sequences=self.max_batch_size,
        )
        return pooled_memory(request, serving, self._room)

    def _room(self, weights_bytes: int, step_bytes: int) -> int | None:  # noqa: ARG002
        """Return a share of what is free.

        Source: https://lmdeploy.readthedocs.io/en/latest/api/pipeline.html, `cache_max_entry_count`
        """
        if self.gpu_memory_bytes is None:
            return None
        free = self.gpu_memory_bytes - weights_bytes - CUDA_CONTEXT_BYTES.value
        return int(max(0, free) * self.cache_max_entry_count)
