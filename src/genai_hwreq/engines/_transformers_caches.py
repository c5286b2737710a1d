"""What transformers keeps between tokens: key/value caches by kind of layer, and recurrent states.

Source: `DynamicCache` and its layers, transformers 5.23,
https://github.com/huggingface/transformers/blob/main/src/transformers/cache_utils.py
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from genai_hwreq.engines._transformers_classes import class_traits
from genai_hwreq.estimates import Component
from genai_hwreq.formulas.kv_cache import (
    ATTENTION_CACHE,
    COMPRESSED_CACHE,
    LATENT_CACHE,
    attention_cache_bytes,
    cached_tokens,
    compressed_cache_bytes,
    latent_cache_bytes,
    merged_elements,
)
from genai_hwreq.formulas.recurrent_state import transformers_state_bytes
from genai_hwreq.models import (
    Attention,
    CompressedAttention,
    CrossAttention,
    LatentAttention,
    Mixer,
    StateSpace,
)

if TYPE_CHECKING:
    from genai_hwreq.models import Transformer

__all__ = ["cache_components", "cached_heads"]

_HALF_BITS = 16
"""A quantised cache holds keys and values; recurrent states and convolution tails stay at 16 bit or more."""


@lru_cache(maxsize=512)
def _mixers(network: Transformer) -> tuple[tuple[Mixer, int], ...]:
    """Return each distinct mixer with the number of layers that hold it."""
    counts: dict[Mixer, int] = {}
    for run in network.layers:
        for mixer in run.layer.mixers:
            counts[mixer] = counts.get(mixer, 0) + run.n_layers
    return tuple(counts.items())


@lru_cache(maxsize=4096)
def cache_components(
    network: Transformer,
    batch_size: int,
    tokens: int,
    element_bits: int,
    *,
    just_read: bool,
    full_latent: bool,
) -> tuple[Component, ...]:
    """Return the caches that hold `tokens` tokens of each sequence.

    Args:
        network: the decoder.
        batch_size: sequences.
        tokens: tokens of each sequence that have passed.
        element_bits: width of a cached element.
        just_read: whether the tokens came in one pass. A sliding layer then still holds them all: its cache is a
            view of the last window of a whole tensor, which lives until the next token is added.
        full_latent: whether latent attention caches every head's keys and values instead of the latent row.
    """
    found = []
    for mixer, n_layers in _mixers(network):
        if isinstance(mixer, Attention):
            if mixer.cache == "own":
                heads = cached_heads(network, mixer)
                kept = tokens if just_read else cached_tokens(tokens, mixer.window_tokens)
                dims = (mixer.head_dim, mixer.value_head_dim)
                found.append(
                    _attention(n_layers, batch_size, kept, heads, dims, element_bits, mixer.window_tokens)
                )
                if mixer.n_index_heads:
                    found.append(
                        _index_keys(n_layers, batch_size, tokens, mixer.index_head_dim, element_bits)
                    )
        elif isinstance(mixer, LatentAttention):
            found.append(_latent(mixer, n_layers, batch_size, tokens, element_bits, full=full_latent))
        elif isinstance(mixer, CompressedAttention):
            found.append(_compressed(mixer, n_layers, batch_size, tokens, element_bits, just_read=just_read))
        elif isinstance(mixer, StateSpace):
            found.append(_state(mixer, n_layers, batch_size, max(_HALF_BITS, element_bits)))
        else:
            assert isinstance(mixer, CrossAttention)
    return tuple(found)


def cached_heads(network: Transformer, attention: Attention) -> int:
    """Return the key/value heads that are cached: as many as the queries' where the class repeats grouped ones."""
    repeats = class_traits(network.model_type).broadcast_cache and attention.n_kv_heads > 1
    return attention.n_heads if repeats else attention.n_kv_heads


def _attention(
    n_layers: int,
    batch_size: int,
    tokens: int,
    heads: int,
    head_dims: tuple[int, int],
    element_bits: int,
    window_tokens: int | None,
) -> Component:
    key_dim, value_dim = head_dims
    size = attention_cache_bytes(n_layers, batch_size, tokens, heads, key_dim, value_dim, element_bits)
    inputs = (
        ("n_layers", n_layers),
        ("batch_size", batch_size),
        ("cached_tokens", tokens),
        ("n_kv_heads", heads),
        ("key_head_dim", key_dim),
        ("value_head_dim", value_dim),
        ("element_bits", element_bits),
    )
    name = "key/value cache" if window_tokens is None else f"key/value cache, window of {window_tokens}"
    return Component("kv_cache", name, size, ATTENTION_CACHE, inputs, "exact")


def _index_keys(
    n_layers: int, batch_size: int, tokens: int, index_head_dim: int, element_bits: int
) -> Component:
    """Return the keys by which an indexer chooses tokens: one row a token, no values."""
    size = attention_cache_bytes(n_layers, batch_size, tokens, 1, index_head_dim, 0, element_bits)
    inputs = (
        ("n_layers", n_layers),
        ("batch_size", batch_size),
        ("cached_tokens", tokens),
        ("n_kv_heads", 1),
        ("key_head_dim", index_head_dim),
        ("value_head_dim", 0),
        ("element_bits", element_bits),
    )
    return Component("kv_cache", "index keys", size, ATTENTION_CACHE, inputs, "exact")


def _latent(
    mixer: LatentAttention, n_layers: int, batch_size: int, tokens: int, element_bits: int, *, full: bool
) -> Component:
    if full:
        dims = (mixer.qk_head_dim, mixer.v_head_dim)
        return _attention(n_layers, batch_size, tokens, mixer.n_heads, dims, element_bits, None)
    index_dim = mixer.index_head_dim if mixer.n_index_heads else 0
    size = latent_cache_bytes(
        n_layers, batch_size, tokens, mixer.kv_lora_rank, mixer.qk_rope_head_dim, index_dim, element_bits
    )
    inputs = (
        ("n_layers", n_layers),
        ("batch_size", batch_size),
        ("cached_tokens", tokens),
        ("kv_lora_rank", mixer.kv_lora_rank),
        ("qk_rope_head_dim", mixer.qk_rope_head_dim),
        ("index_head_dim", index_dim),
        ("element_bits", element_bits),
    )
    return Component("kv_cache", "latent key/value cache", size, LATENT_CACHE, inputs, "exact")


def _compressed(
    mixer: CompressedAttention,
    n_layers: int,
    batch_size: int,
    tokens: int,
    element_bits: int,
    *,
    just_read: bool,
) -> Component:
    kept = tokens if just_read else cached_tokens(tokens, mixer.window_tokens)
    window_dim = mixer.head_dim if mixer.compress_tokens else 2 * mixer.head_dim
    row_dim = mixer.head_dim + (mixer.index_head_dim if mixer.n_index_heads else 0)
    merged = merged_elements(tokens, mixer.compress_tokens, row_dim, overlapping=mixer.overlapping)
    size = compressed_cache_bytes(n_layers, batch_size, kept, window_dim, merged, element_bits)
    inputs = (
        ("n_layers", n_layers),
        ("batch_size", batch_size),
        ("window_tokens", kept),
        ("window_dim", window_dim),
        ("merged_elements", merged),
        ("element_bits", element_bits),
    )
    return Component("kv_cache", "compressed key/value cache", size, COMPRESSED_CACHE, inputs, "exact")


def _state(mixer: StateSpace, n_layers: int, batch_size: int, element_bits: int) -> Component:
    one = transformers_state_bytes(
        kind=mixer.kind,
        channels=mixer.conv_channels,
        kernel=mixer.conv_kernel,
        shift_elements=mixer.shift_elements,
        state_elements=mixer.state_elements,
        element_bytes=element_bits // 8,
    )
    inputs = (("n_layers", n_layers), ("batch_size", batch_size), ("state_bytes", one))
    name = f"recurrent state, {mixer.kind.replace('_', ' ')}"
    return Component(
        "recurrent_state",
        name,
        n_layers * batch_size * one,
        "n_layers * batch_size * state_bytes",
        inputs,
        "exact",
    )
