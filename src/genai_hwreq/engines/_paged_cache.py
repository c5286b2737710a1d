"""What a serving program caches for a token and for a sequence, on one device, when the cache is cut into blocks.

Next: vllm.
"""

from __future__ import annotations

from attrs import frozen

from genai_hwreq.formulas.weights import aligned, ceil_div
from genai_hwreq.models import Attention, CompressedAttention, LatentAttention, Mixer, StateSpace, Transformer

__all__ = ["CACHE_BITS", "CachedLayers", "PagedCache", "has_compressed_attention", "paged_cache"]

CACHE_BITS = {
    "auto": 16, "fp32": 32, "fp16": 16, "bf16": 16, "fp8": 8, "fp8_e4m3": 8, "fp8_e5m2": 8, "int8": 8, "int4": 4,
}
"""Widths of a cached element, by the name of its type."""

_INDEX_SCALE_BYTES = 4
"""An indexer's keys are kept as one byte an element and one 32-bit scale a row.

Source: https://github.com/vllm-project/vllm/blob/v0.19.0/vllm/model_executor/models/deepseek_v2.py, `DeepseekV32IndexerCache`
"""


@frozen(kw_only=True)
class CachedLayers:
    """Layers that keep rows of the same size for the same tokens."""

    n_layers: int
    """How many of them, those that only pad a group included."""

    row_bytes: int
    """Bytes that a token leaves in one of them."""

    window_tokens: int | None = None
    """Tokens that are kept; `None` where all are."""


@frozen(kw_only=True)
class PagedCache:
    """What a network keeps."""

    layers: tuple[CachedLayers, ...]
    """Layers that keep rows."""

    state_bytes: int
    """Recurrent states of one sequence, in all layers."""

    @property
    def token_bytes(self) -> int:
        """Bytes of a token that every layer keeps."""
        return sum(part.n_layers * part.row_bytes for part in self.layers)

    def sequence_bytes(self, context_tokens: int, step_tokens: int, block_tokens: int) -> int:
        """Return what one sequence holds: whole blocks, of a window only what it and one step's tokens need."""
        return self.state_bytes + sum(
            part.n_layers * part.row_bytes * _held_tokens(part.window_tokens, context_tokens, step_tokens, block_tokens)
            for part in self.layers
        )


def _held_tokens(window_tokens: int | None, context_tokens: int, step_tokens: int, block_tokens: int) -> int:
    all_tokens = aligned(context_tokens, block_tokens)
    if window_tokens is None:
        return all_tokens
    return min(all_tokens, aligned(window_tokens - 1 + step_tokens, block_tokens) + block_tokens)


def has_compressed_attention(network: Transformer) -> bool:
    """Tell whether a layer keeps merged rows, which no block of tokens describes."""
    return any(isinstance(mixer, CompressedAttention) for run in network.layers for mixer in run.layer.mixers)


def paged_cache(network: Transformer, element_bits: int, *, grouped: bool) -> PagedCache:
    """Return what one device's network keeps.

    Args:
        network: the device's share.
        element_bits: width of a cached element.
        grouped: whether layers with and without a window are put into groups of equal size, and so padded.
            Source: https://github.com/vllm-project/vllm/blob/v0.19.0/vllm/v1/core/kv_cache_utils.py
    """
    found: dict[tuple[int, int | None], int] = {}
    state_bytes = 0
    for run in network.layers:
        for mixer in run.layer.mixers:
            for key in _rows(mixer, element_bits):
                found[key] = found.get(key, 0) + run.n_layers
            if isinstance(mixer, StateSpace):
                state_bytes += run.n_layers * _state_bytes(mixer)
    layers = tuple(
        CachedLayers(n_layers=count, row_bytes=row, window_tokens=window) for (row, window), count in found.items()
    )
    return PagedCache(layers=_padded(layers) if grouped else layers, state_bytes=state_bytes)


def _rows(mixer: Mixer, element_bits: int) -> tuple[tuple[int, int | None], ...]:
    if isinstance(mixer, LatentAttention):
        index = mixer.index_head_dim + _INDEX_SCALE_BYTES if mixer.n_index_heads and not mixer.index_shared else 0
        return ((mixer.latent_dim * element_bits // 8 + index, None),)
    if isinstance(mixer, Attention) and mixer.cache == "own":
        row = (mixer.key_dim + mixer.value_dim) * element_bits // 8
        return ((row, mixer.window_tokens),)
    return ()


def _state_bytes(mixer: StateSpace) -> int:
    tail = max(0, mixer.conv_kernel - 1) * mixer.conv_channels * 2
    return tail + 4 * mixer.state_elements + 2 * mixer.shift_elements


def _padded(layers: tuple[CachedLayers, ...]) -> tuple[CachedLayers, ...]:
    counts = [part.n_layers for part in layers]
    if len({part.row_bytes for part in layers}) != 1 or len(counts) == 1:
        return layers
    group = max(counts) if max(counts) * 4 < min(counts) * 5 else min(counts)
    return tuple(
        CachedLayers(
            n_layers=ceil_div(part.n_layers, group) * group, row_bytes=part.row_bytes, window_tokens=part.window_tokens
        )
        for part in layers
    )
