"""SGLang: weights and cache together take a set share of a device, the rest is for a step's tensors and graphs.

Methodology: docs/explanation/methodology/other-engines.md. Next: estimation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from attrs import field, frozen

from genai_hwreq._validators import optional_positive, positive
from genai_hwreq.engines._pooled import Serving, pooled_memory
from genai_hwreq.engines._serving import refused_serving

if TYPE_CHECKING:
    from genai_hwreq.engines._protocol import Memory, Request

__all__ = ["SGLang"]


@frozen(kw_only=True)
class SGLang:
    """SGLang, by its own settings.

    Without `gpu_memory_bytes` the cache is as large as the workload needs.

    Examples:
        >>> SGLang(tp_size=2).name
        'sglang'

    """

    name: ClassVar[str] = "sglang"

    gpu_memory_bytes: int | None = field(default=None, validator=optional_positive)
    """Total memory of a device, as its driver reports it; `None`: not known."""

    mem_fraction_static: float = 0.88
    """Share of a device for weights and cache."""

    tp_size: int = field(default=1, validator=positive)
    """Devices that share each layer."""

    kv_cache_dtype: str = "auto"
    """Type of the cache."""

    max_total_tokens: int | None = field(default=None, validator=optional_positive)
    """Tokens that the cache holds; `None`: as many as there is room for."""

    chunked_prefill_size: int = field(default=8192, validator=positive)
    """Most tokens of a prompt that pass at once."""

    max_running_requests: int = field(default=256, validator=positive)
    """Most sequences of a step."""

    def refuses(self, request: Request) -> str | None:
        """Say why this cannot be run, or `None` where it can."""
        return refused_serving(request, self.name, self.kv_cache_dtype, self.tp_size, self.tp_size)

    def memory(self, request: Request) -> Memory:
        """Turn a request into memory, phase by phase, device by device."""
        serving = Serving(
            n_shards=self.tp_size,
            cache_type=self.kv_cache_dtype,
            block_tokens=1,
            pool_tokens=self.max_total_tokens,
            step_tokens=self.chunked_prefill_size,
            sequences=self.max_running_requests,
        )
        return pooled_memory(request, serving, self._room)

    def _room(self, weights_bytes: int, step_bytes: int) -> int | None:  # noqa: ARG002
        """Return the share less the weights.

        Source: https://github.com/sgl-project/sglang/blob/main/python/sglang/srt/model_executor/model_runner.py,
        `profile_max_num_token`
        """
        if self.gpu_memory_bytes is None:
            return None
        return max(0, int(self.gpu_memory_bytes * self.mem_fraction_static) - weights_bytes)
