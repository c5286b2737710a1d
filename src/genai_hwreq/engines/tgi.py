"""Text Generation Inference: the cache takes what weights and the largest prefill leave of a device.

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

__all__ = ["TGI"]


@frozen(kw_only=True)
class TGI:
    """Hugging Face Text Generation Inference, by its own settings.

    Without `gpu_memory_bytes` the cache is as large as the workload needs.

    Examples:
        >>> TGI(num_shard=2).name
        'tgi'

    """

    name: ClassVar[str] = "tgi"

    gpu_memory_bytes: int | None = field(default=None, validator=optional_positive)
    """Total memory of a device, as its driver reports it; `None`: not known."""

    cuda_memory_fraction: float = 1.0
    """Share of a device that is used."""

    num_shard: int = field(default=1, validator=positive)
    """Devices that share each layer."""

    kv_cache_dtype: str = "auto"
    """Type of the cache."""

    max_batch_total_tokens: int | None = field(default=None, validator=optional_positive)
    """Tokens that the cache holds; `None`: as many as there is room for."""

    max_batch_prefill_tokens: int = field(default=4096, validator=positive)
    """Most tokens of a prompt that pass at once."""

    max_batch_size: int = field(default=128, validator=positive)
    """Most sequences of a step."""

    def refuses(self, request: Request) -> str | None:
        """Say why this cannot be run, or `None` where it can."""
        return refused_serving(request, self.name, self.kv_cache_dtype, self.num_shard, self.num_shard)

    def memory(self, request: Request) -> Memory:
        """Turn a request into memory, phase by phase, device by device."""
        serving = Serving(
            n_shards=self.num_shard,
            cache_type=self.kv_cache_dtype,
            block_tokens=1,
            pool_tokens=self.max_batch_total_tokens,
            step_tokens=self.max_batch_prefill_tokens,
            sequences=self.max_batch_size,
        )
        return pooled_memory(request, serving, self._room)

    def _room(self, weights_bytes: int, step_bytes: int) -> int | None:
        """Return 95 % of what weights, the largest prefill and the context leave.

        Source: https://github.com/huggingface/text-generation-inference/blob/main/server/text_generation_server/models/flash_causal_lm.py,
        `warmup`
        """
        if self.gpu_memory_bytes is None:
            return None
        left = int(self.gpu_memory_bytes * self.cuda_memory_fraction) - weights_bytes - step_bytes
        return max(0, left - CUDA_CONTEXT_BYTES.value) * 95 // 100
