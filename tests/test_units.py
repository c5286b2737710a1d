"""Bytes and their units: reading and showing sizes."""

from __future__ import annotations

import pytest
from hypothesis import example, given, strategies as st

from genai_hwreq.errors import QuantityError
from genai_hwreq.units import GB, GIB, KIB, MIB, TB, TIB, format_bytes, parse_bytes

SIZES = st.integers(0, 2**50)
UNITS = {"B": 1, "kB": 1000, "KB": 1000, "MB": 10**6, "GB": GB, "TB": TB}
UNITS |= {"KiB": KIB, "MiB": MIB, "GiB": GIB, "TiB": TIB}


@pytest.mark.property
@given(SIZES)
@example(GIB - 1)
@example(MIB - 1)
def test_parsing_undoes_showing(n_bytes: int) -> None:
    """What is shown reads back as the same size, to the digits shown."""
    shown = format_bytes(n_bytes)
    half_a_digit = {"GiB": GIB / 200, "MiB": MIB / 20, "KiB": KIB / 20, "B": 0}[shown.split()[1]]
    assert n_bytes == pytest.approx(parse_bytes(shown), rel=0, abs=half_a_digit + 1)


@pytest.mark.property
@given(SIZES, st.sampled_from(sorted(UNITS)), st.sampled_from(["", " ", "  "]))
def test_whole_number_of_a_unit(number: int, unit: str, space: str) -> None:
    """A whole number of a unit is exactly that many of its bytes, with or without a space."""
    assert number * UNITS[unit] == parse_bytes(f" {number}{space}{unit} ")


@pytest.mark.property
@given(SIZES, SIZES)
def test_showing_keeps_the_order(one: int, other: int) -> None:
    """A larger size is never shown as a smaller one."""
    low, high = sorted((one, other))
    assert parse_bytes(format_bytes(low)) <= parse_bytes(format_bytes(high))


@pytest.mark.parametrize(
    ("n_bytes", "text"), [(6 * GIB, "6.00 GiB"), (300 * MIB, "300.0 MiB"), (9 * KIB, "9.0 KiB"), (512, "512 B"), (0, "0 B")]
)
def test_shown(n_bytes: int, text: str) -> None:
    """Sizes are shown in GiB, or in MiB, KiB or bytes where they are small."""
    assert text == format_bytes(n_bytes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("80G", "known unit"),
        ("80", "known unit"),
        ("", "known unit"),
        ("80 gb", "known unit"),
        ("many GiB", "does not start with a number"),
        ("GiB", "does not start with a number"),
        ("-1 GiB", "zero or more"),
        ("nan GiB", "zero or more"),
        ("inf GiB", "zero or more"),
        ("sNaN GiB", "does not start with a number"),
        ("1e999999 TiB", "does not start with a number"),
    ],
)
def test_refused(text: str, message: str) -> None:
    """A size without a clear unit, below zero, without end or that is no number is refused."""
    with pytest.raises(QuantityError, match=message):
        parse_bytes(text)
