"""Stored bytes of tensors: laws over all sizes."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from genai_hwreq.formulas.weights import aligned, block_bytes, ceil_div, group_count, mean_bytes, plain_bytes

pytestmark = pytest.mark.property

SIZES = st.integers(1, 2**40)
SMALL = st.integers(1, 4096)
BITS = st.sampled_from([1, 2, 3, 4, 8, 16, 32])


@given(st.integers(0, 2**60), SIZES)
def test_ceil_div_is_the_least_that_covers(dividend: int, divisor: int) -> None:
    """Rounded up: as many pieces as cover the whole, and not one more."""
    pieces = ceil_div(dividend, divisor)
    assert (pieces - 1) * divisor < dividend <= pieces * divisor


@given(SIZES, SMALL)
def test_aligned(n_bytes: int, alignment: int) -> None:
    """Aligned bytes are a multiple of the alignment, less than one alignment above."""
    padded = aligned(n_bytes, alignment)
    assert padded % alignment == 0
    assert n_bytes <= padded < n_bytes + alignment
    assert n_bytes == aligned(n_bytes, 1)


@given(SIZES, SIZES, BITS)
def test_plain_bytes_rise(one: int, other: int, bits: int) -> None:
    """More elements or more bits never take fewer bytes; whole bytes are exact."""
    assert plain_bytes(one, bits) <= plain_bytes(one + other, bits)
    assert plain_bytes(one, bits) <= plain_bytes(one, bits + 1)
    assert one * bits == plain_bytes(8 * one, bits)


@given(SMALL, SMALL, SMALL, SMALL)
def test_block_bytes(rows: int, row_elements: int, block_elements: int, bytes_per_block: int) -> None:
    """Blocks hold every element, with at most one block a row not full; rows that divide are exact."""
    size = block_bytes(rows, row_elements, block_elements, bytes_per_block)
    assert size * block_elements >= rows * row_elements * bytes_per_block
    assert size * block_elements < rows * (row_elements + block_elements) * bytes_per_block
    exact = block_bytes(rows, row_elements * block_elements, block_elements, bytes_per_block)
    assert rows * row_elements * bytes_per_block == exact


@given(SMALL, SMALL, SMALL)
def test_group_count(rows: int, row_elements: int, group_elements: int) -> None:
    """A group never spans rows; group size zero means one a row."""
    groups = group_count(rows, row_elements, group_elements)
    assert groups % rows == 0
    assert groups * group_elements >= rows * row_elements
    assert rows == group_count(rows, row_elements, 0)


@given(SIZES, st.integers(1, 16_000))
def test_mean_bytes(n_elements: int, milli_bits: int) -> None:
    """A mean of whole bits stores like a plain type; any mean lies between the whole bits around it."""
    assert plain_bytes(n_elements, 4) == mean_bytes(n_elements, 4000)
    low, high = milli_bits // 1000, ceil_div(milli_bits, 1000)
    assert plain_bytes(n_elements, low) <= mean_bytes(n_elements, milli_bits) <= plain_bytes(n_elements, high)
