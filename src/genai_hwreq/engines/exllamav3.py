"""ExLlamaV3: EXL3 weights, a cache for the whole context, flash attention.

Methodology: docs/explanation/methodology/other-engines.md. Next: estimation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from attrs import field, frozen

from genai_hwreq._validators import positive
from genai_hwreq.engines._exllama_parts import exllama_memory, refused_exllama

if TYPE_CHECKING:
    from genai_hwreq.engines._protocol import Memory, Request

__all__ = ["ExLlamaV3"]


@frozen(kw_only=True)
class ExLlamaV3:
    """ExLlamaV3.

    Examples:
        >>> ExLlamaV3().name
        'exllamav3'

    """

    name: ClassVar[str] = "exllamav3"

    cache_type: str = "fp16"
    """Type of the cache; `k/v` where keys and values differ."""

    chunk_size: int = field(default=2048, validator=positive)
    """Tokens of a prompt that pass at once."""

    def refuses(self, request: Request) -> str | None:
        """Say why this cannot be run, or `None` where it can."""
        return refused_exllama(request, self.name, self.cache_type)

    def memory(self, request: Request) -> Memory:
        """Turn a request into memory, phase by phase, device by device."""
        return exllama_memory(
            request, kv_cache=self.cache_type, max_input_len=self.chunk_size, bytes_per_score=0
        )
