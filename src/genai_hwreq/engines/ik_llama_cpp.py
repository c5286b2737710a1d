"""ik_llama.cpp: a fork of the llama.cpp of 2024 with block types, latent caches and fused experts of its own.

Methodology: docs/explanation/methodology/llama-cpp.md. Next: estimation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from attrs import field, frozen

from genai_hwreq._validators import count
from genai_hwreq.engines._llama_cpp_graph import Fork
from genai_hwreq.engines.llama_cpp import LlamaCpp

if TYPE_CHECKING:
    from genai_hwreq.engines._llama_cpp_caches import Latent
    from genai_hwreq.engines._llama_cpp_versions import Era

__all__ = ["IkLlamaCpp"]


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

    @property
    def fork(self) -> Fork:
        """What it computes in its own way."""
        return Fork(mla=self.mla, attn_max_batch_mib=self.attn_max_batch, fused_moe=self.fused_moe)

    @property
    def latent(self) -> Latent:
        """What latent attention caches: with `mla=1` and unfused attention the values once more, turned around."""
        if not self.mla:
            return "full"
        return "rows and values" if self.mla == 1 and not self.flash else "rows"
