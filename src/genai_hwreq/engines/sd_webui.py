"""Stable Diffusion web UI: the original code of Stable Diffusion, everything on the device unless told otherwise.

Methodology: docs/explanation/methodology/diffusers.md. Next: estimation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from attrs import frozen

from genai_hwreq.engines.diffusers import Diffusers

if TYPE_CHECKING:
    from genai_hwreq.engines._protocol import Memory, Request

__all__ = ["SdWebui"]


@frozen(kw_only=True)
class SdWebui:
    """Stable Diffusion web UI (AUTOMATIC1111).

    Without a switch for attention, torch 2 uses its fused kernels only with `--opt-sdp-attention`.

    Examples:
        >>> SdWebui(tiled_decode=True).name
        'sd-webui'

    """

    name: ClassVar[str] = "sd-webui"

    attention: Literal["sdpa", "eager", "sliced"] = "sdpa"
    """Whether a fused kernel computes attention piece by piece, or scores are held in full or in part."""

    medvram: bool = False
    """Whether networks wait in host memory while another works (`--medvram`)."""

    lowvram: bool = False
    """Whether single layers are moved (`--lowvram`)."""

    tiled_decode: bool = False
    """Whether an extension decodes in tiles."""

    def refuses(self, request: Request) -> str | None:
        """Say why this cannot be run, or `None` where it can."""
        return self._diffusers().refuses(request)

    def memory(self, request: Request) -> Memory:
        """Turn a request into memory, network by network."""
        return self._diffusers().memory(request)

    def _diffusers(self) -> Diffusers:
        return Diffusers(
            enable_model_cpu_offload=self.medvram and not self.lowvram,
            enable_sequential_cpu_offload=self.lowvram,
            enable_vae_tiling=self.tiled_decode,
            attention=self.attention,
        )
