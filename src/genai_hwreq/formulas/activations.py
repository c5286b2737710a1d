"""Working memory of one forward pass: rows of tensors that are alive together.

A tensor has rows (of tokens, of pairs of tokens, of chunks), a width and an element type. The allocator of PyTorch
hands out memory in blocks, which matters where tensors are small: one step of decoding holds dozens of them.
"""

from __future__ import annotations

from typing import Literal

from genai_hwreq.formulas.weights import ceil_div

__all__ = ["BLOCK_BYTES", "ROWS", "Rows", "held_bytes", "held_text", "missing_text", "row_count"]

BLOCK_BYTES = 512
"""PyTorch's allocator rounds every tensor up to this.

Source: https://github.com/pytorch/pytorch/blob/main/c10/cuda/CUDACachingAllocator.cpp, `kMinBlockSize`.
"""

Rows = Literal[
    "token",
    "pair",
    "seen",
    "earlier",
    "windowed",
    "earlier_windowed",
    "beyond_window",
    "position",
    "position_pair",
    "sequence",
    "once",
    "logit",
    "chunk",
    "chunk_of_several",
    "chunk_pair",
]
"""What a tensor has one row for."""

ROWS: dict[Rows, str] = {
    "token": "batch_size * tokens",
    "pair": "batch_size * tokens * seen_tokens",
    "seen": "batch_size * seen_tokens",
    "earlier": "batch_size * (seen_tokens - 1)",
    "windowed": "batch_size * min(seen_tokens, span_tokens)",
    "earlier_windowed": "batch_size * min(seen_tokens - 1, span_tokens)",
    "beyond_window": "batch_size * max(0, seen_tokens - 1 - span_tokens)",
    "position": "tokens",
    "position_pair": "tokens * seen_tokens",
    "sequence": "batch_size",
    "once": "1",
    "logit": "batch_size * logit_tokens",
    "chunk": "batch_size * ceil_div(tokens, span_tokens)",
    "chunk_of_several": "batch_size * ceil_div(tokens, span_tokens) * min(1, ceil_div(tokens, span_tokens) - 1)",
    "chunk_pair": "batch_size * (ceil_div(tokens, span_tokens) + 1) * (ceil_div(tokens, span_tokens) + 1)",
}
"""How many rows that is. `tokens` pass now, `seen_tokens` are seen by the last of them; `span_tokens` is the length
of a window or a chunk. `position` rows serve all sequences, a `pair` is of a query and a key."""


def row_count(
    rows: Rows, batch_size: int, tokens: int, seen_tokens: int, logit_tokens: int, span_tokens: int
) -> int:
    """Return the value of `ROWS[rows]`.

    Examples:
        >>> row_count("pair", 2, 512, 512, 1, 0)
        524288
        >>> row_count("earlier_windowed", 1, 1, 2049, 1, 1024)
        1024

    """
    match rows:
        case "token":
            count = batch_size * tokens
        case "pair":
            count = batch_size * tokens * seen_tokens
        case "position":
            count = tokens
        case "position_pair":
            count = tokens * seen_tokens
        case "sequence":
            count = batch_size
        case "once":
            count = 1
        case "logit":
            count = batch_size * logit_tokens
        case "chunk" | "chunk_of_several" | "chunk_pair":
            count = batch_size * _chunk_rows(rows, ceil_div(tokens, span_tokens))
        case _:
            count = batch_size * _seen_rows(rows, seen_tokens, span_tokens)
    return count


def _chunk_rows(rows: Rows, n_chunks: int) -> int:
    """Return the rows of tensors made for each chunk of one sequence."""
    match rows:
        case "chunk":
            return n_chunks
        case "chunk_of_several":
            return n_chunks * min(1, n_chunks - 1)
    return (n_chunks + 1) ** 2


def _seen_rows(rows: Rows, seen_tokens: int, span_tokens: int) -> int:
    """Return the tokens of one sequence that a cache-like tensor has rows for."""
    match rows:
        case "seen":
            return seen_tokens
        case "earlier":
            return seen_tokens - 1
        case "windowed":
            return min(seen_tokens, span_tokens)
        case "earlier_windowed":
            return min(seen_tokens - 1, span_tokens)
    return max(0, seen_tokens - 1 - span_tokens)


def held_text(rows: Rows) -> str:
    """Return the formula of equal tensors.

    Examples:
        >>> held_text("token")
        'n_tensors * 512 * ceil_div(batch_size * tokens * width * element_bytes, 512)'

    """
    return f"n_tensors * {BLOCK_BYTES} * ceil_div({ROWS[rows]} * width * element_bytes, {BLOCK_BYTES})"


def held_bytes(n_tensors: int, n_rows: int, width: int, element_bytes: int) -> int:
    """Return the bytes of equal tensors, each in blocks of its own.

    Examples:
        The residual stream of 512 tokens, four times:

        >>> held_bytes(4, 512, 4096, 2)
        16777216

    """
    return n_tensors * BLOCK_BYTES * ceil_div(n_rows * width * element_bytes, BLOCK_BYTES)


def missing_text(rows: Rows) -> str:
    """Return the formula of equal tensors less what later layers have yet to cache."""
    return (
        f"max(0, {held_text(rows)} - batch_size * (tokens * uncached_token_bytes + uncached_sequence_bytes))"
    )
