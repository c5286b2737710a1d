"""Bytes of key/value caches: laws over all sizes, and layers of published models by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from genai_hwreq.formulas.kv_cache import (
    attention_cache_bytes,
    cached_tokens,
    compressed_cache_bytes,
    latent_cache_bytes,
    merged_elements,
)

pytestmark = pytest.mark.property

COUNTS = st.integers(1, 4096)
BITS = st.sampled_from([4, 8, 16, 32])


@given(COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, BITS)
def test_cache_is_linear(
    layers: int, batch: int, tokens: int, heads: int, key_dim: int, value_dim: int, bits: int
) -> None:
    """Layers, sequences, tokens, heads and bits each multiply the cache; keys and values add."""
    once = attention_cache_bytes(layers, batch, 2 * tokens, heads, key_dim, value_dim, bits)
    twice = attention_cache_bytes(2 * layers, batch, 2 * tokens, heads, key_dim, value_dim, bits)
    assert 2 * once == twice
    assert twice == attention_cache_bytes(layers, 2 * batch, 2 * tokens, heads, key_dim, value_dim, bits)
    assert twice == attention_cache_bytes(layers, batch, 4 * tokens, heads, key_dim, value_dim, bits)
    assert twice == attention_cache_bytes(layers, batch, 2 * tokens, 2 * heads, key_dim, value_dim, bits)
    assert twice == attention_cache_bytes(layers, batch, 2 * tokens, heads, key_dim, value_dim, 2 * bits)
    keys = attention_cache_bytes(layers, batch, 2 * tokens, heads, key_dim, 0, bits)
    values = attention_cache_bytes(layers, batch, 2 * tokens, heads, 0, value_dim, bits)
    assert once == keys + values


@given(COUNTS, st.none() | COUNTS, COUNTS)
def test_window_caps_the_tokens(tokens: int, window: int | None, more: int) -> None:
    """At most the tokens there are, at most the window; never fewer for a longer context or wider window."""
    kept = cached_tokens(tokens, window)
    assert 1 <= kept <= tokens
    assert kept <= cached_tokens(tokens + more, window)
    if window is not None:
        assert kept <= window
        assert kept <= cached_tokens(tokens, window + more)


@given(COUNTS, COUNTS, COUNTS, COUNTS, COUNTS, BITS)
def test_latent_is_one_head(layers: int, batch: int, tokens: int, rank: int, rope: int, bits: int) -> None:
    """A latent cache is that of one head as wide as the latent row, without values."""
    one_head = attention_cache_bytes(layers, batch, tokens, 1, rank + rope, 0, bits)
    assert one_head == latent_cache_bytes(layers, batch, tokens, rank, rope, 0, bits)


@given(COUNTS, COUNTS, COUNTS)
def test_merged_rows(stretches: int, compress: int, row_dim: int) -> None:
    """Full stretches leave one row each; overlapping ones carry the last stretch's projections on."""
    tokens = stretches * compress
    assert stretches * row_dim == merged_elements(tokens, compress, row_dim, overlapping=False)
    carried = merged_elements(tokens, compress, row_dim, overlapping=True) - stretches * row_dim
    assert 2 * compress * row_dim == carried


def test_nothing_is_merged() -> None:
    """Layers that see a window only merge nothing, and waiting tokens of a first stretch carry nothing."""
    assert merged_elements(100, 0, 512, overlapping=True) == 0
    assert merged_elements(3, 4, 10, overlapping=True) == 2 * 3 * 10 * 2


def test_published_models() -> None:
    """Llama-2-7B, DeepSeek-V3 and one layer of windows and merged rows, by hand."""
    assert attention_cache_bytes(32, 1, 4096, 32, 128, 128, 16) == 2 * 2**30
    assert latent_cache_bytes(61, 1, 4096, 512, 64, 0, 16) == 61 * 4096 * 576 * 2
    assert compressed_cache_bytes(1, 1, 127, 512, 32 * 512, 16) == (127 + 32) * 512 * 2
