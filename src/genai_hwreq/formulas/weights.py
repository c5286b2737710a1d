"""Stored bytes of a weight tensor, from its rows and their length."""

from __future__ import annotations

__all__ = ["aligned", "block_bytes", "ceil_div", "group_count", "mean_bytes", "plain_bytes"]


def ceil_div(dividend: int, divisor: int) -> int:
    """Divide and round up, exactly.

    Examples:
        >>> ceil_div(7, 2), ceil_div(8, 2)
        (4, 4)

    """
    return -(-dividend // divisor)


def aligned(n_bytes: int, alignment: int) -> int:
    """Round bytes up to a multiple of `alignment`.

    Examples:
        >>> aligned(513, 512)
        1024

    """
    return ceil_div(n_bytes, alignment) * alignment


def plain_bytes(n_elements: int, bits: int) -> int:
    """Return bytes of elements stored one by one, the last byte filled up.

    Examples:
        >>> plain_bytes(3, 4)
        2

    """
    return ceil_div(n_elements * bits, 8)


def block_bytes(n_rows: int, row_elements: int, block_elements: int, bytes_per_block: int) -> int:
    """Return bytes of rows cut into blocks; a row's last block is stored whole.

    Source: ggml's `ggml_row_size`; llama.cpp replaces the type of rows that do not divide.

    Examples:
        A Q4_K matrix of 4096 rows of 4096: 256 elements in 144 bytes.

        >>> block_bytes(4096, 4096, 256, 144)
        9437184

    """
    return n_rows * ceil_div(row_elements, block_elements) * bytes_per_block


def group_count(n_rows: int, row_elements: int, group_elements: int) -> int:
    """Return how many scales a matrix has: one for each group of a row, or one a row (`group_elements` zero).

    Examples:
        >>> group_count(4096, 4096, 128), group_count(4096, 4096, 0)
        (131072, 4096)

    """
    return n_rows * (ceil_div(row_elements, group_elements) if group_elements else 1)


def mean_bytes(n_elements: int, milli_bits: int) -> int:
    """Return bytes of elements at a mean of `milli_bits` thousandths of a bit.

    Examples:
        >>> mean_bytes(8000, 4250)
        4250

    """
    return ceil_div(n_elements * milli_bits, 8000)
