"""Working memory of one forward pass: bytes of the tensors that are alive together, by moment.

Every function names the tensors it counts. `tokens` are those of one sequence in this pass, `element_bytes`
is the width of the compute type. Sizes are those the framework asks for; its allocator rounds each up to 512.
"""

from __future__ import annotations

__all__ = [
    "ATTENTION_MASK",
    "EAGER_SCORES",
    "FEED_FORWARD",
    "LOGITS",
    "ROTARY_TABLES",
    "SEEN_ROWS",
    "STREAM",
    "TOKEN_IDS",
    "attention_mask_bytes",
    "eager_score_bytes",
    "feed_forward_bytes",
    "logits_bytes",
    "rotary_table_bytes",
    "stream_bytes",
    "token_id_bytes",
]

TOKEN_IDS = "8 * (batch_size * seen_tokens * n_id_tensors + tokens)"
"""Token ids (and a two-dimensional padding mask) of each sequence, and one row of positions, 64 bit each."""

ROTARY_TABLES = "n_tables * 2 * tokens * rotary_dim * table_bytes"
"""Cosine and sine of each rotary base, computed once a pass and kept through all layers."""

STREAM = "batch_size * tokens * ((stream_copies * hidden_dim + other_elements) * element_bytes + token_bytes)"
"""Copies of the residual stream that are alive at once, and other rows of each token beside them."""

SEEN_ROWS = "batch_size * (seen_tokens * seen_elements + (seen_tokens - 1) * old_elements) * element_bytes"
"""Rows kept for every token that is seen: repeated or unpacked keys and values, or an old cache being replaced."""

FEED_FORWARD = "batch_size * tokens * half_widths * intermediate_dim * element_bytes // 2"
"""Tensors as wide as the feed-forward network, in halves of its width."""

EAGER_SCORES = "batch_size * n_heads * tokens * seen_tokens * bytes_per_score"
"""Scores of every query with every key, held in full, in each precision that is alive at once."""

ATTENTION_MASK = "n_masks * mask_rows * tokens * seen_tokens * mask_bytes"
"""Masks that say which token sees which, one a kind of layer."""

LOGITS = "batch_size * logit_tokens * vocab_size * bytes_per_logit"
"""Scores of every word of the vocabulary, for each token whose successor is asked for."""


def token_id_bytes(batch_size: int, seen_tokens: int, n_id_tensors: int, tokens: int) -> int:
    """Return `TOKEN_IDS`: ids of all tokens so far, positions of those that pass now.

    Examples:
        >>> token_id_bytes(1, 512, 1, 512)
        8192

    """
    return 8 * (batch_size * seen_tokens * n_id_tensors + tokens)


def rotary_table_bytes(n_tables: int, tokens: int, rotary_dim: int, table_bytes: int) -> int:
    """Return `ROTARY_TABLES`.

    Examples:
        >>> rotary_table_bytes(1, 512, 128, 2)
        262144

    """
    return n_tables * 2 * tokens * rotary_dim * table_bytes


def stream_bytes(batch_size: int, tokens: int, elements: int, element_bytes: int, token_bytes: int) -> int:
    """Return `STREAM`; `elements` are those of one token in the compute type.

    Examples:
        >>> stream_bytes(1, 512, 4 * 4096, 2, 0)
        16777216

    """
    return batch_size * tokens * (elements * element_bytes + token_bytes)


def feed_forward_bytes(
    batch_size: int, tokens: int, half_widths: int, intermediate_dim: int, element_bytes: int
) -> int:
    """Return `FEED_FORWARD`: a gated network holds gate, up and their product, six halves.

    Examples:
        >>> feed_forward_bytes(1, 512, 6, 11008, 2)
        33816576

    """
    return batch_size * tokens * half_widths * intermediate_dim * element_bytes // 2


def eager_score_bytes(batch_size: int, n_heads: int, tokens: int, seen_tokens: int, bytes_per_score: int) -> int:
    """Return `EAGER_SCORES`.

    Examples:
        Scores in 16 bit, their 32-bit copy and its softmax: ten bytes each.

        >>> eager_score_bytes(1, 32, 2048, 2048, 10)
        1342177280

    """
    return batch_size * n_heads * tokens * seen_tokens * bytes_per_score


def attention_mask_bytes(n_masks: int, mask_rows: int, tokens: int, seen_tokens: int, mask_bytes: int) -> int:
    """Return `ATTENTION_MASK`.

    Examples:
        >>> attention_mask_bytes(1, 4, 512, 512, 1)
        1048576

    """
    return n_masks * mask_rows * tokens * seen_tokens * mask_bytes


def logits_bytes(batch_size: int, logit_tokens: int, vocab_size: int, bytes_per_logit: int) -> int:
    """Return `LOGITS`.

    Examples:
        >>> logits_bytes(1, 1, 32000, 2)
        64000

    """
    return batch_size * logit_tokens * vocab_size * bytes_per_logit
