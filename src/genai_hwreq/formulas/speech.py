"""Working memory of speech models that encode windows of sound and write text (Whisper)."""

from __future__ import annotations

__all__ = [
    "CROSS_CACHE",
    "ENCODE",
    "PREFILL",
    "SELF_CACHE",
    "STEP",
    "cross_cache_bytes",
    "encode_bytes",
    "prefill_bytes",
    "self_cache_bytes",
    "step_bytes",
]

CROSS_CACHE = "sequences * 2 * n_layers * positions * kv_dim * element_bytes"
"""What `cross_cache_bytes` computes."""

SELF_CACHE = "sequences * 2 * n_layers * tokens * kv_dim * element_bytes"
"""What `self_cache_bytes` computes."""

ENCODE = "batch_size * (positions * (2 * intermediate_dim + 4 * hidden_dim) + 2 * positions * mel_bins) * element_bytes"
"""What `encode_bytes` computes."""

PREFILL = (
    "sequences * (3 * positions * hidden_dim"
    " + tokens * (vocabulary + 4 * intermediate_dim + 11 * hidden_dim)) * element_bytes"
)
"""What `prefill_bytes` computes."""

STEP = "sequences * (positions * hidden_dim * element_bytes + 2 * 4 * vocabulary)"
"""What `step_bytes` computes."""


def cross_cache_bytes(sequences: int, n_layers: int, positions: int, kv_dim: int, element_bytes: int) -> int:
    """Return the keys and values of the encoded sound, which every decoder layer keeps.

    Examples:
        Whisper large, one window in 16 bit.

        >>> cross_cache_bytes(1, 32, 1500, 1280, 2)
        245760000

    """
    return sequences * 2 * n_layers * positions * kv_dim * element_bytes


def self_cache_bytes(sequences: int, n_layers: int, tokens: int, kv_dim: int, element_bytes: int) -> int:
    """Return the keys and values of the text so far.

    Examples:
        >>> self_cache_bytes(5, 32, 448, 1280, 2)
        367001600

    """
    return sequences * 2 * n_layers * tokens * kv_dim * element_bytes


def encode_bytes(
    batch_size: int, positions: int, intermediate_dim: int, hidden_dim: int, mel_bins: int, element_bytes: int
) -> int:
    """Return the tensors alive in an encoder layer's feed-forward network, and the spectrogram.

    Examples:
        Whisper tiny in fp32.

        >>> encode_bytes(1, 1500, 1536, 384, 80, 4)
        28608000

    """
    own = positions * (2 * intermediate_dim + 4 * hidden_dim) + 2 * positions * mel_bins
    return batch_size * own * element_bytes


def prefill_bytes(
    sequences: int,
    positions: int,
    hidden_dim: int,
    tokens: int,
    vocabulary: int,
    intermediate_dim: int,
    element_bytes: int,
) -> int:
    """Return what is alive while the first tokens are read: the encoded sound, its new keys and values, logits.

    Examples:
        >>> prefill_bytes(1, 1500, 384, 4, 51865, 1536, 4)
        7907728

    """
    own = tokens * (vocabulary + 4 * intermediate_dim + 11 * hidden_dim)
    return sequences * (3 * positions * hidden_dim + own) * element_bytes


def step_bytes(sequences: int, positions: int, hidden_dim: int, vocabulary: int, element_bytes: int) -> int:
    """Return what is alive while a token is written: the encoded sound, logits and their logarithms in fp32.

    Examples:
        >>> step_bytes(5, 1500, 1280, 51865, 2)
        21274600

    """
    return sequences * (positions * hidden_dim * element_bytes + 2 * 4 * vocabulary)
