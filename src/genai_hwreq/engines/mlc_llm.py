"""MLC LLM: compiled models whose temporary buffer is planned; the cache takes what is left of a set share.

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

__all__ = ["MLCLLM"]


@frozen(kw_only=True)
class MLCLLM:
    """MLC LLM, by its own settings.

    Without `gpu_memory_bytes` the cache is as large as the workload needs.

    Examples:
        >>> MLCLLM(tensor_parallel_shards=2).name
        'mlc-llm'

    """

    name: ClassVar[str] = "mlc-llm"

    gpu_memory_bytes: int | None = field(default=None, validator=optional_positive)
    """Total memory of a device, as its driver reports it; `None`: not known."""

    gpu_memory_utilization: float = 0.85
    """Share of a device that is used."""

    tensor_parallel_shards: int = field(default=1, validator=positive)
    """Devices that share each layer."""

    kv_cache_dtype: str = "auto"
    """Type of the cache."""

    max_total_sequence_length: int | None = field(default=None, validator=optional_positive)
    """Tokens that the cache holds; `None`: as many as there is room for."""

    prefill_chunk_size: int = field(default=2048, validator=positive)
    """Most tokens of a prompt that pass at once."""

    max_num_sequence: int = field(default=4, validator=positive)
    """Most sequences of a step."""

    def refuses(self, request: Request) -> str | None:
        """Say why this cannot be run, or `None` where it can."""
        return refused_serving(request, self.name, self.kv_cache_dtype, self.tensor_parallel_shards, self.tensor_parallel_shards)

    def memory(self, request: Request) -> Memory:
        """Turn a request into memory, phase by phase, device by device."""
        serving = Serving(
            n_shards=self.tensor_parallel_shards,
            cache_type=self.kv_cache_dtype,
            block_tokens=16,
            pool_tokens=self.max_total_sequence_length,
            step_tokens=self.prefill_chunk_size,
            sequences=self.max_num_sequence,
        )
        return pooled_memory(request, serving, self._room)

    def _room(self, weights_bytes: int, step_bytes: int) -> int | None:
        """Return the share less weights and the temporary buffer.

        Source: https://github.com/mlc-ai/mlc-llm/blob/main/cpp/serve/config.cc
        """
        if self.gpu_memory_bytes is None:
            return None
        left = int(self.gpu_memory_bytes * self.gpu_memory_utilization) - weights_bytes - step_bytes
        return max(0, left)
