"""ComfyUI: a graph of nodes whose networks move to the device when they work.

Methodology: docs/explanation/methodology/diffusers.md. Next: estimation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from attrs import frozen

from genai_hwreq.engines.diffusers import Diffusers

if TYPE_CHECKING:
    from genai_hwreq.engines._protocol import Memory, Request

__all__ = ["ComfyUI"]


@frozen(kw_only=True)
class ComfyUI:
    """ComfyUI, which moves networks to the device as its nodes need them and back when memory is short.

    The estimate is what it needs at least; it keeps networks on the device while there is room.

    Examples:
        >>> ComfyUI(tiled_decode=True).name
        'comfyui'

    """

    name: ClassVar[str] = "comfyui"

    attention: Literal["sdpa", "eager", "sliced"] = "sdpa"
    """Whether a fused kernel computes attention piece by piece, or scores are held in full or in part."""

    highvram: bool = False
    """Whether networks stay on the device once they are there (`--highvram`)."""

    lowvram: bool = False
    """Whether single layers are moved (`--lowvram`)."""

    tiled_decode: bool = False
    """Whether the node that decodes works in tiles."""

    def refuses(self, request: Request) -> str | None:
        """Say why this cannot be run, or `None` where it can."""
        return self._diffusers().refuses(request)

    def memory(self, request: Request) -> Memory:
        """Turn a request into memory, network by network."""
        return self._diffusers().memory(request)

    def _diffusers(self) -> Diffusers:
        return Diffusers(
            enable_model_cpu_offload=not self.highvram and not self.lowvram,
            enable_sequential_cpu_offload=self.lowvram,
            enable_vae_tiling=self.tiled_decode,
            attention=self.attention,
        )
