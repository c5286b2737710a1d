"""Intervals of bytes."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from genai_hwreq.errors import QuantityError
from genai_hwreq.ranges import ByteRange
from strategies import byte_ranges


@pytest.mark.property
@given(byte_ranges(), byte_ranges(), byte_ranges())
def test_addition(one: ByteRange, two: ByteRange, three: ByteRange) -> None:
    """Ranges add bound by bound, in any order and grouping, and keep their order."""
    total = one + two + three
    assert (one.low + two.low + three.low, one.high + two.high + three.high) == (total.low, total.high)
    assert total == three + (two + one)
    assert total.low <= total.likely <= total.high
    assert one == one + ByteRange.exactly(0)


@pytest.mark.property
@given(st.integers(0, 2**42), st.integers(0, 2**42), st.integers(0, 2**42))
def test_bounds_rise(low: int, likely: int, high: int) -> None:
    """Bounds out of order are refused, all others kept."""
    if low <= likely <= high:
        assert likely == ByteRange(low, likely, high).likely
    else:
        with pytest.raises(QuantityError, match="a range must rise"):
            ByteRange(low, likely, high)


@pytest.mark.parametrize("bound", [-1, 1.0, True])
def test_bounds_are_whole(bound: object) -> None:
    """A bound is a whole number of bytes."""
    with pytest.raises(QuantityError, match=r"ByteRange\.low is"):
        ByteRange(bound, 10, 10)  # type: ignore[arg-type]
