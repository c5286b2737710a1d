"""Bytes of key/value caches, by kind of attention."""

from __future__ import annotations

__all__ = [
    "ATTENTION_CACHE",
    "COMPRESSED_CACHE",
    "LATENT_CACHE",
    "attention_cache_bytes",
    "cached_tokens",
    "compressed_cache_bytes",
    "latent_cache_bytes",
    "merged_elements",
]

ATTENTION_CACHE = "n_layers * batch_size * cached_tokens * n_kv_heads * (key_head_dim + value_head_dim) * element_bits // 8"
"""What `attention_cache_bytes` computes."""

LATENT_CACHE = (
    "n_layers * batch_size * cached_tokens * (kv_lora_rank + qk_rope_head_dim + index_head_dim) * element_bits // 8"
)
"""What `latent_cache_bytes` computes."""

COMPRESSED_CACHE = "n_layers * batch_size * (window_tokens * window_dim + merged_elements) * element_bits // 8"
"""What `compressed_cache_bytes` computes."""


def cached_tokens(context_tokens: int, window_tokens: int | None) -> int:
    """Return the tokens a layer keeps for the next one: all of them, or its window less that next one.

    Examples:
        >>> cached_tokens(8192, None), cached_tokens(8192, 1024)
        (8192, 1023)

    """
    return context_tokens if window_tokens is None else min(context_tokens, max(1, window_tokens - 1))


def attention_cache_bytes(
    n_layers: int,
    batch_size: int,
    tokens: int,
    n_kv_heads: int,
    key_head_dim: int,
    value_head_dim: int,
    element_bits: int,
) -> int:
    """Return bytes of keys and values of all heads.

    Examples:
        Llama-2-7B at 4096 tokens in 16 bit: 32 layers, 32 heads of 128.

        >>> attention_cache_bytes(32, 1, 4096, 32, 128, 128, 16)
        2147483648

    """
    return n_layers * batch_size * tokens * n_kv_heads * (key_head_dim + value_head_dim) * element_bits // 8


def latent_cache_bytes(
    n_layers: int,
    batch_size: int,
    tokens: int,
    kv_lora_rank: int,
    qk_rope_head_dim: int,
    index_head_dim: int,
    element_bits: int,
) -> int:
    """Return bytes of compressed keys and values: one row a token serves all heads, with the indexer's key if any.

    Source: DeepSeek-V2, arXiv 2405.04434, section 2.1; the indexer, DeepSeek-V3.2.

    Examples:
        DeepSeek-V3 at 4096 tokens in 16 bit: 61 layers of 512 + 64.

        >>> latent_cache_bytes(61, 1, 4096, 512, 64, 0, 16)
        287834112

    """
    elements = kv_lora_rank + qk_rope_head_dim + index_head_dim
    return n_layers * batch_size * tokens * elements * element_bits // 8


def compressed_cache_bytes(
    n_layers: int, batch_size: int, window_tokens: int, window_dim: int, merged_elements: int, element_bits: int
) -> int:
    """Return bytes of a window's rows and of the merged rows of all tokens.

    Examples:
        One layer that keeps 127 rows of 512 and 32 merged ones.

        >>> compressed_cache_bytes(1, 1, 127, 512, 32 * 512, 16)
        162816

    """
    return n_layers * batch_size * (window_tokens * window_dim + merged_elements) * element_bits // 8


def merged_elements(tokens: int, compress_tokens: int, row_dim: int, *, overlapping: bool) -> int:
    """Return elements kept of tokens merged into one row each `compress_tokens`, with those that await merging.

    Waiting tokens keep what the merged row will weigh: content and weight, twice as much where rows overlap.

    Source: https://github.com/huggingface/transformers/blob/main/src/transformers/models/deepseek_v4/modeling_deepseek_v4.py

    Examples:
        >>> merged_elements(130, 128, 512, overlapping=False)
        2560

    """
    if not compress_tokens:
        return 0
    waiting = 2 * (tokens % compress_tokens) * row_dim * (2 if overlapping else 1)
    carried = 2 * compress_tokens * row_dim if overlapping and tokens >= compress_tokens else 0
    return tokens // compress_tokens * row_dim + waiting + carried
