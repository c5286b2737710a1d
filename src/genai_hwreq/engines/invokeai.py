"""InvokeAI: diffusers' networks, loaded one at a time for the node that works.

Methodology: docs/explanation/methodology/diffusers.md. Next: estimation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from attrs import frozen

from genai_hwreq.engines.diffusers import Diffusers

if TYPE_CHECKING:
    from genai_hwreq.engines._protocol import Memory, Request

__all__ = ["InvokeAI"]


@frozen(kw_only=True)
class InvokeAI:
    """InvokeAI, which runs a pipeline as a graph of nodes.

    Examples:
        >>> InvokeAI(tiled_decode=True).name
        'invokeai'

    """

    name: ClassVar[str] = "invokeai"

    tiled_decode: bool = False
    """Whether an image is decoded in tiles."""

    keep_models_in_vram: bool = False
    """Whether networks stay on the device between nodes."""

    encode_input: bool = False
    """Whether an image is encoded first."""

    compute_capability: str | None = None
    """CUDA compute capability of the device."""

    def refuses(self, request: Request) -> str | None:
        """Say why this cannot be run, or `None` where it can."""
        return self._diffusers().refuses(request)

    def memory(self, request: Request) -> Memory:
        """Turn a request into memory, node by node."""
        return self._diffusers().memory(request)

    def _diffusers(self) -> Diffusers:
        return Diffusers(
            enable_model_cpu_offload=not self.keep_models_in_vram,
            enable_vae_tiling=self.tiled_decode,
            encode_input=self.encode_input,
            compute_capability=self.compute_capability,
        )
