"""What llama.cpp keeps between tokens: key/value cells by layer, and recurrent states.

Sources: https://github.com/ggml-org/llama.cpp/blob/master/src/llama-kv-cache.cpp,
https://github.com/ggml-org/llama.cpp/blob/master/src/llama-kv-cache-iswa.cpp,
https://github.com/ggml-org/llama.cpp/blob/master/src/llama-memory-recurrent.cpp

Next: _llama_cpp_weights.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from attrs import evolve, frozen

from genai_hwreq.engines._llama_cpp_versions import Era
from genai_hwreq.formulas.ggml_types import BLOCKS, row_bytes
from genai_hwreq.formulas.recurrent_state import llama_cpp_state_bytes
from genai_hwreq.formulas.weights import aligned
from genai_hwreq.models import Attention, LatentAttention, StateSpace

if TYPE_CHECKING:
    from genai_hwreq.models import Mixer, Transformer

__all__ = [
    "CacheSettings",
    "Cells",
    "Latent",
    "LayerCache",
    "cell_bytes",
    "cells_of",
    "layer_caches",
    "layer_states",
    "padding_bytes",
    "sees_window",
]

_WINDOWED = frozenset(
    {
        "gemma2", "gemma3", "gemma3_text", "gemma3n", "gemma3n_text", "gemma4", "gemma4_text", "gpt_oss", "cohere2",
        "llama4", "llama4_text", "exaone4", "olmo3", "smallthinker", "mimo_v2", "mimo_v2_flash", "step3p5", "afmoe",
        "plamo3", "laguna", "exaone_moe",
    }
)  # fmt: skip
"""Model types whose windowed layers get caches of their own; other models' windows are ignored.

Source: https://github.com/ggml-org/llama.cpp/tree/master/src/models, `set_swa_pattern`
"""


Latent = Literal["full", "rows and values", "rows"]
"""What latent attention caches: every head's keys and values, the latent row and its values apart, or the row alone."""


@frozen(kw_only=True)
class CacheSettings:
    """The settings that decide caches, with every default worked out."""

    era: Era
    """Which way with memory."""

    n_ctx: int
    """Tokens of context, of all sequences."""

    n_seq_max: int
    """Sequences."""

    n_ubatch: int
    """Tokens of a pass."""

    flash_attn: bool
    """Whether attention is fused."""

    kv_unified: bool
    """Whether all sequences share one stream of cells."""

    swa_full: bool
    """Whether windowed layers keep the whole context."""

    latent: Latent = "rows"
    """What latent attention caches."""

    type_k: str
    """Block type of keys, such as `F16`."""

    type_v: str
    """Block type of values."""


@frozen
class Cells:
    """Cells of one cache."""

    cells: int
    """Cells of a stream."""

    streams: int
    """Streams."""


@frozen
class LayerCache:
    """One layer's keys and values."""

    key_dim: int
    """Elements of a cell's keys."""

    value_dim: int
    """Elements of a cell's values; zero where they are part of the keys."""

    window_tokens: int | None
    """Window, where the layer has a cache of that size."""


def sees_window(network: Transformer, era: Era) -> bool:
    """Tell whether windowed layers have caches of their own."""
    return era != "2024" and network.model_type in _WINDOWED


@lru_cache(maxsize=1024)
def layer_caches(
    network: Transformer, era: Era, latent: Latent, *, flash_attn: bool
) -> tuple[LayerCache | None, ...]:
    """Return each layer's cache; `None` for layers that keep none.

    Without fused attention values lie by element, and since 2025 every layer's are as wide as the widest's.
    Source: https://github.com/ggml-org/llama.cpp/blob/master/src/llama-kv-cache.cpp, `n_embd_v_gqa_max`
    """
    windows = sees_window(network, era)
    found: list[LayerCache | None] = []
    for run in network.layers:
        found += [_cache(run.layer.mixers, latent, windows=windows)] * run.n_layers
    if era == "2024" or flash_attn:
        return tuple(found)
    widest = max((cache.value_dim for cache in found if cache is not None), default=0)
    return tuple(None if cache is None else evolve(cache, value_dim=widest) for cache in found)


def _cache(mixers: tuple[Mixer, ...], latent: Latent, *, windows: bool) -> LayerCache | None:
    for mixer in mixers:
        if isinstance(mixer, Attention) and mixer.cache == "own":
            return LayerCache(mixer.key_dim, mixer.value_dim, mixer.window_tokens if windows else None)
        if isinstance(mixer, LatentAttention):
            if latent == "full":
                return LayerCache(mixer.n_heads * mixer.qk_head_dim, mixer.n_heads * mixer.v_head_dim, None)
            return LayerCache(mixer.latent_dim, mixer.kv_lora_rank if latent == "rows and values" else 0, None)
    return None


@lru_cache(maxsize=1024)
def layer_states(network: Transformer) -> tuple[int, ...]:
    """Return the bytes of one sequence's recurrent state in each layer."""
    found: list[int] = []
    for run in network.layers:
        found += [sum(_state(mixer) for mixer in run.layer.mixers if isinstance(mixer, StateSpace))] * run.n_layers
    return tuple(found)


def _state(mixer: StateSpace) -> int:
    return llama_cpp_state_bytes(
        channels=mixer.conv_channels,
        kernel=mixer.conv_kernel,
        shift_elements=mixer.shift_elements,
        state_elements=mixer.state_elements,
    )


def cells_of(settings: CacheSettings, window_tokens: int | None, *, hybrid: bool) -> Cells:
    """Return the cells of a layer's cache.

    Examples:
        Gemma-3's windowed layers at 32768 tokens: 1024 + 512 cells.

        >>> settings = CacheSettings(
        ...     era="2026", n_ctx=32768, n_seq_max=1, n_ubatch=512, flash_attn=True,
        ...     kv_unified=False, swa_full=False, type_k="F16", type_v="F16",
        ... )
        >>> cells_of(settings, 1024, hybrid=False)
        Cells(cells=1536, streams=1)

    """
    pad = 256 if settings.flash_attn or settings.era == "2026" else 32
    if settings.era == "2024":
        return Cells(aligned(settings.n_ctx, pad), 1)
    streams = 1 if settings.kv_unified else settings.n_seq_max
    one = settings.n_ctx
    if not (settings.kv_unified or (hybrid and settings.era == "2025")):
        one //= settings.n_seq_max
    cells = aligned(one, pad)
    if window_tokens is None or settings.swa_full:
        return Cells(cells, streams)
    seen = window_tokens * (settings.n_seq_max if settings.kv_unified else 1)
    within = aligned(seen + settings.n_ubatch, pad)
    return Cells(aligned(min(cells, within), pad), streams)


def cell_bytes(cache: LayerCache, settings: CacheSettings) -> int:
    """Return the bytes of one cell's keys and values."""
    return row_bytes(settings.type_k, cache.key_dim) + row_bytes(settings.type_v, cache.value_dim)


def padding_bytes(cache: LayerCache, cells: Cells, settings: CacheSettings) -> int:
    """Return what CUDA adds to a layer's keys and values: fragments that fill quantised rows, and alignment."""
    total = 0
    for block, dim in ((settings.type_k, cache.key_dim), (settings.type_v, cache.value_dim)):
        size = cells.cells * cells.streams * row_bytes(block, dim)
        fragment = row_bytes(block, -dim % 512) if BLOCKS[block][0] > 1 and settings.era != "2024" else 0
        total += aligned(size + fragment, 128) - size
    return total
