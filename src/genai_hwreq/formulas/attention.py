"""Attention scores held in full: what attention needs where no fused kernel computes it piece by piece."""

from __future__ import annotations

__all__ = ["SCORES", "score_bytes"]

SCORES = "n_copies * batch_size * n_heads * queries * keys * score_bytes"
"""What `score_bytes` computes."""


def score_bytes(
    n_copies: int, batch_size: int, n_heads: int, queries: int, keys: int, bytes_per_score: int
) -> int:
    """Return the bytes of score matrices: of each head, every query against every key.

    Examples:
        Stable Diffusion 1.5 at 512 pixels with guidance: 8 heads, 64 × 64 positions, two copies in 16 bit.

        >>> score_bytes(2, 2, 8, 4096, 4096, 2)
        1073741824

    """
    return n_copies * batch_size * n_heads * queries * keys * bytes_per_score
