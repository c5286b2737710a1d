"""llama.cpp's caches and states on one device, as explained components.

Next: _llama_cpp_graph.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from genai_hwreq.engines._llama_cpp_caches import (
    CacheSettings,
    LayerCache,
    cell_bytes,
    cells_of,
    layer_caches,
    layer_states,
    padding_bytes,
)
from genai_hwreq.estimates import Component

if TYPE_CHECKING:
    from genai_hwreq.models import Transformer

__all__ = ["cache_components", "state_components"]


@lru_cache(maxsize=2048)
def cache_components(
    network: Transformer, settings: CacheSettings, places: tuple[int, ...], device: int
) -> tuple[Component, ...]:
    """Return the key/value caches of the layers that are on a device (or the host, -1)."""
    hybrid = any(layer_states(network))
    counts: dict[LayerCache, int] = {}
    caches = layer_caches(network, settings.era, settings.latent, flash_attn=settings.flash_attn)
    for cache, place in zip(caches, places, strict=True):
        if cache is not None and place == device:
            counts[cache] = counts.get(cache, 0) + 1
    return tuple(_cache(cache, n, settings, hybrid=hybrid, on_device=device >= 0) for cache, n in counts.items())


_TEXT = "n_layers * (cells * streams * cell_bytes + padding_bytes)"


def _cache(cache: LayerCache, n_layers: int, settings: CacheSettings, *, hybrid: bool, on_device: bool) -> Component:
    cells = cells_of(settings, cache.window_tokens, hybrid=hybrid)
    padding = padding_bytes(cache, cells, settings) if on_device else 0
    one = cell_bytes(cache, settings)
    inputs = (
        ("n_layers", n_layers),
        ("cells", cells.cells),
        ("streams", cells.streams),
        ("cell_bytes", one),
        ("padding_bytes", padding),
    )
    name = "key/value cache" if cache.window_tokens is None else f"key/value cache, window {cache.window_tokens}"
    size = n_layers * (cells.cells * cells.streams * one + padding)
    return Component("kv_cache", name, size, _TEXT, inputs, "exact")


@lru_cache(maxsize=2048)
def state_components(
    network: Transformer, n_seq_max: int, places: tuple[int, ...], device: int
) -> tuple[Component, ...]:
    """Return the recurrent states of the layers that are on a device (or the host, -1)."""
    pairs = zip(layer_states(network), places, strict=True)
    one = sum(state for state, place in pairs if place == device)
    if not one:
        return ()
    inputs = (("n_sequences", n_seq_max), ("state_bytes", one))
    return (
        Component("recurrent_state", "recurrent state", n_seq_max * one, "n_sequences * state_bytes", inputs, "exact"),
    )
