"""ExLlama: GPTQ weights, a cache for the whole context, attention scores in 16 bit and their softmax.

Methodology: docs/explanation/methodology/other-engines.md. Next: estimation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from attrs import field, frozen

from genai_hwreq._validators import positive
from genai_hwreq.engines._exllama_parts import exllama_memory, refused_exllama

if TYPE_CHECKING:
    from genai_hwreq.engines._protocol import Memory, Request

__all__ = ["ExLlama"]


@frozen(kw_only=True)
class ExLlama:
    """ExLlama, the first of its family.

    Examples:
        >>> ExLlama().name
        'exllama'

    """

    name: ClassVar[str] = "exllama"

    kv_cache: str = "fp16"
    """Type of the cache; `k/v` where keys and values differ."""

    max_input_len: int = field(default=2048, validator=positive)
    """Tokens of a prompt that pass at once."""

    def refuses(self, request: Request) -> str | None:
        """Say why this cannot be run, or `None` where it can."""
        return refused_exllama(request, self.name, self.kv_cache)

    def memory(self, request: Request) -> Memory:
        """Turn a request into memory, phase by phase, device by device."""
        return exllama_memory(
            request, kv_cache=self.kv_cache, max_input_len=self.max_input_len, bytes_per_score=4
        )
