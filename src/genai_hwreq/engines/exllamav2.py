"""ExLlamaV2: EXL2, GPTQ or 16-bit weights, a cache for the whole context.

Methodology: docs/explanation/methodology/other-engines.md. Next: estimation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from attrs import field, frozen

from genai_hwreq._validators import positive
from genai_hwreq.engines._exllama_parts import exllama_memory, refused_exllama

if TYPE_CHECKING:
    from genai_hwreq.engines._protocol import Memory, Request

__all__ = ["ExLlamaV2"]


@frozen(kw_only=True)
class ExLlamaV2:
    """ExLlamaV2.

    Examples:
        >>> ExLlamaV2().name
        'exllamav2'

    """

    name: ClassVar[str] = "exllamav2"

    cache_mode: str = "fp16"
    """Type of the cache; `k/v` where keys and values differ."""

    max_input_len: int = field(default=2048, validator=positive)
    """Tokens of a prompt that pass at once."""

    flash_attn: bool = True
    """Whether flash attention is installed; without it scores are held."""

    def refuses(self, request: Request) -> str | None:
        """Say why this cannot be run, or `None` where it can."""
        return refused_exllama(request, self.name, self.cache_mode)

    def memory(self, request: Request) -> Memory:
        """Turn a request into memory, phase by phase, device by device."""
        return exllama_memory(
            request, kv_cache=self.cache_mode, max_input_len=self.max_input_len, bytes_per_score=0 if self.flash_attn else 4
        )
