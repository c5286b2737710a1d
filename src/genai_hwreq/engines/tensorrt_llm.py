"""TensorRT-LLM: the cache takes a set share of what is free once the engine is loaded.

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

__all__ = ["TensorRTLLM"]


@frozen(kw_only=True)
class TensorRTLLM:
    """TensorRT-LLM, by its own settings.

    Without `gpu_memory_bytes` the cache is as large as the workload needs.

    Examples:
        >>> TensorRTLLM(tp_size=2).name
        'tensorrt-llm'

    """

    name: ClassVar[str] = "tensorrt-llm"

    gpu_memory_bytes: int | None = field(default=None, validator=optional_positive)
    """Total memory of a device, as its driver reports it; `None`: not known."""

    free_gpu_memory_fraction: float = 0.9
    """Share of what is free after loading that the cache takes."""

    tp_size: int = field(default=1, validator=positive)
    """Devices that share each layer."""

    kv_cache_dtype: str = "auto"
    """Type of the cache."""

    max_tokens: int | None = field(default=None, validator=optional_positive)
    """Tokens that the cache holds; `None`: as many as there is room for."""

    max_num_tokens: int = field(default=8192, validator=positive)
    """Most tokens of a prompt that pass at once."""

    max_batch_size: int = field(default=256, validator=positive)
    """Most sequences of a step."""

    def refuses(self, request: Request) -> str | None:
        """Say why this cannot be run, or `None` where it can."""
        return refused_serving(request, self.name, self.kv_cache_dtype, self.tp_size, self.tp_size)

    def memory(self, request: Request) -> Memory:
        """Turn a request into memory, phase by phase, device by device."""
        serving = Serving(
            n_shards=self.tp_size,
            cache_type=self.kv_cache_dtype,
            block_tokens=32,
            pool_tokens=self.max_tokens,
            step_tokens=self.max_num_tokens,
            sequences=self.max_batch_size,
        )
        return pooled_memory(request, serving, self._room)

    def _room(self, weights_bytes: int, step_bytes: int) -> int | None:
        """Return a share of what is free.

        Source: https://nvidia.github.io/TensorRT-LLM/reference/memory.html
        """
        if self.gpu_memory_bytes is None:
            return None
        free = self.gpu_memory_bytes - weights_bytes - step_bytes - CUDA_CONTEXT_BYTES.value
        return int(max(0, free) * self.free_gpu_memory_fraction)
