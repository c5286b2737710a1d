"""Ollama: llama.cpp under other names and with other defaults.

Methodology: docs/explanation/methodology/llama-cpp.md. Next: ik_llama_cpp.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from attrs import field, frozen

from genai_hwreq._validators import count, optional_positive, positive
from genai_hwreq.engines.llama_cpp import ALL_LAYERS, LlamaCpp

if TYPE_CHECKING:
    from genai_hwreq.engines._protocol import Memory, Request

__all__ = ["Ollama"]


@frozen(kw_only=True)
class Ollama:
    """Ollama under its own settings' names.

    Examples:
        >>> Ollama(kv_cache_type="q8_0", flash_attention=True).llama_cpp.type_k
        'q8_0'

    """

    name: ClassVar[str] = "ollama"

    version: str = "2026-10"
    """Month or build of the llama.cpp inside."""

    num_ctx: int | None = field(default=None, validator=optional_positive)
    """Tokens of context of one sequence; `None`: the workload's."""

    num_batch: int = field(default=512, validator=positive)
    """Tokens handed over and computed at once."""

    num_gpu: int = field(default=ALL_LAYERS, validator=count)
    """Layers on devices."""

    num_parallel: int | None = field(default=None, validator=optional_positive)
    """Sequences (`OLLAMA_NUM_PARALLEL`); `None`: as many as the workload has."""

    flash_attention: bool | None = None
    """Whether attention is fused (`OLLAMA_FLASH_ATTENTION`); `None`: as the version does by itself."""

    kv_cache_type: str = "f16"
    """Type of cached keys and values (`OLLAMA_KV_CACHE_TYPE`)."""

    use_device: bool = True
    """Whether there is a device at all."""

    @property
    def llama_cpp(self) -> LlamaCpp:
        """The settings of the llama.cpp inside."""
        n_ctx = self.num_ctx * (self.num_parallel or 1) if self.num_ctx else None
        return LlamaCpp(
            version=self.version,
            n_ctx=n_ctx,
            n_batch=self.num_batch,
            n_ubatch=self.num_batch,
            n_gpu_layers=self.num_gpu,
            n_seq_max=self.num_parallel,
            flash_attn=self.flash_attention,
            type_k=self.kv_cache_type,
            type_v=self.kv_cache_type,
            use_device=self.use_device,
        )

    def refuses(self, request: Request) -> str | None:
        """Say why this cannot be run, or `None` where it can."""
        return self.llama_cpp.refuses(request)

    def memory(self, request: Request) -> Memory:
        """Turn a request into memory, phase by phase, device by device."""
        return self.llama_cpp.memory(request)
