"""ik_llama.cpp: a fork of the llama.cpp of 2024 with block types, latent caches and fused experts of its own.

Methodology: docs/explanation/methodology/llama-cpp.md. Next: estimation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from attrs import field, frozen

from genai_hwreq._validators import count
from genai_hwreq.engines.llama_cpp import LlamaCpp
from genai_hwreq.models import LatentAttention
from genai_hwreq.units import MIB

if TYPE_CHECKING:
    from genai_hwreq.engines._llama_cpp_caches import CacheSettings, Latent
    from genai_hwreq.engines._llama_cpp_versions import Era
    from genai_hwreq.models import Transformer

__all__ = ["IkLlamaCpp"]

_UNPACKING = 2
"""From this value of `mla` on a batch's attention works on unpacked keys and values."""


@frozen(kw_only=True)
class IkLlamaCpp(LlamaCpp):
    """ik_llama.cpp: llama.cpp's settings and a few more.

    Examples:
        >>> IkLlamaCpp(mla=3, attn_max_batch=512).name
        'ik_llama.cpp'

    """

    name: ClassVar[str] = "ik_llama.cpp"

    mla: Literal[0, 1, 2, 3] = field(default=3, validator=count)
    """How latent attention caches: 0 every head's keys and values, 1 to 3 the latent row alone."""

    attn_max_batch: int = field(default=0, validator=count)
    """Most MiB that attention scores may take at once (`-amb`); zero for no limit."""

    fused_moe: bool = True
    """Whether an expert's gate, up and product are one operation (`-fmoe`)."""

    @property
    def era(self) -> Era:
        """Which way with memory it follows: one cache for all layers."""
        return "2024"

    def expanded_bytes(self, network: Transformer, caches: CacheSettings) -> int:
        """Return what attention unpacks at once: with `mla` 2 and 3 all cells' keys and values, up to `attn_max_batch`.

        Beside them are the queries, what the heads put out, three streams and the mask in 32 and 16 bit.
        Source: https://github.com/ikawrakow/ik_llama.cpp/pull/273
        """
        mixer = next((mixer for mixer in network.layers[-1].layer.mixers if isinstance(mixer, LatentAttention)), None)
        if mixer is None or self.mla < _UNPACKING or not self.flash:
            return 0
        width = mixer.n_heads * (mixer.qk_head_dim + mixer.v_head_dim)
        unpacked = 4 * caches.n_ctx * width
        if self.attn_max_batch:
            unpacked = min(unpacked, self.attn_max_batch * MIB)
        tokens = caches.n_ubatch
        return unpacked + 4 * tokens * (width + 3 * network.hidden_dim) + 6 * tokens * caches.n_ctx

    @property
    def latent(self) -> Latent:
        """What latent attention caches: with `mla=1` and unfused attention the values once more, turned around."""
        if not self.mla:
            return "full"
        return "rows and values" if self.mla == 1 and not self.flash else "rows"
