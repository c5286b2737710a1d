"""AutoGPTQ and its forerunner GPTQ-for-LLaMa: Transformers' models of their time with GPTQ matrices.

Methodology: docs/explanation/methodology/other-engines.md. Next: estimation.
"""

from __future__ import annotations

from typing import ClassVar, TYPE_CHECKING

from attrs import frozen

from genai_hwreq.engines.transformers import Transformers

if TYPE_CHECKING:
    from genai_hwreq.engines._protocol import Memory, Request

__all__ = ["AutoGPTQ"]


@frozen(kw_only=True)
class AutoGPTQ:
    """AutoGPTQ's `from_quantized` and Transformers' `generate`.

    Examples:
        >>> AutoGPTQ().name
        'autogptq'

    """

    name: ClassVar[str] = "autogptq"

    transformers_version: str = "4.40.0"
    """Version of Transformers beside it. GPTQ-for-LLaMa lets go of each layer's old cache like this one, older as it is."""

    def refuses(self, request: Request) -> str | None:
        """Say why this cannot be run, or `None` where it can."""
        return self._loader().refuses(request)

    def memory(self, request: Request) -> Memory:
        """Turn a request into memory, phase by phase, device by device."""
        return self._loader().memory(request)

    def _loader(self) -> Transformers:
        return Transformers(version=self.transformers_version, attn_implementation="eager")
