"""Validators: what each accepts, and that each refusal names the value and the field."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import field, frozen
from hypothesis import given, strategies as st

from genai_hwreq._validators import (
    count,
    fraction,
    month,
    non_empty,
    one_of,
    optional_fraction,
    optional_positive,
    positive,
    slug,
    whole,
)
from genai_hwreq.errors import QuantityError


@frozen(kw_only=True)
class Record:
    """A record with a field for every validator."""

    positive: Any = field(default=1, validator=positive)
    count: Any = field(default=0, validator=count)
    optional_positive: Any = field(default=None, validator=optional_positive)
    fraction: Any = field(default=0.5, validator=fraction)
    optional_fraction: Any = field(default=None, validator=optional_fraction)
    non_empty: Any = field(default="x", validator=non_empty)
    slug: Any = field(default="a-1", validator=slug)
    month: Any = field(default=None, validator=month)
    word: Any = field(default="a", validator=one_of("a", "b"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("positive", 10**13),
        ("count", 0),
        ("optional_positive", 1),
        ("fraction", 0),
        ("fraction", 1.0),
        ("optional_fraction", 0.25),
        ("non_empty", (0,)),
        ("slug", "rtx-4090-24gb"),
        ("month", "2024-06"),
        ("word", "b"),
    ],
)
def test_accepted(name: str, value: object) -> None:
    """Values in range are kept as they are."""
    assert value == getattr(Record(**{name: value}), name)


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("positive", 0, "a whole number above zero"),
        ("positive", -1, "a whole number above zero"),
        ("positive", True, "a whole number above zero"),
        ("positive", 1.0, "a whole number above zero"),
        ("positive", None, "a whole number above zero"),
        ("count", -1, "a whole number of at least 0"),
        ("count", False, "a whole number of at least 0"),
        ("optional_positive", 0, "a whole number above zero"),
        ("fraction", 1.5, "a share between 0 and 1"),
        ("fraction", True, "a share between 0 and 1"),
        ("fraction", float("nan"), "a share between 0 and 1"),
        ("fraction", "0.5", "a share between 0 and 1"),
        ("optional_fraction", -0.1, "a share between 0 and 1"),
        ("non_empty", (), "at least one"),
        ("slug", "RTX 4090", "a lower-case name"),
        ("slug", "a--b", "a lower-case name"),
        ("slug", 3, "a lower-case name"),
        ("month", "2024-13", "a month such as '2024-06'"),
        ("month", 2024, "a month such as '2024-06'"),
        ("word", "c", "one of 'a', 'b'"),
    ],
)
def test_refused(name: str, value: object, wanted: str) -> None:
    """A refusal names the field, the value and what was expected."""
    with pytest.raises(QuantityError) as caught:
        Record(**{name: value})
    assert f"Record.{name} is" in str(caught.value)
    assert wanted in str(caught.value)


@given(st.integers())
def test_whole(number: int) -> None:
    """A whole number is returned where it is large enough, and refused else."""
    if number >= 2:
        assert number == whole(number, "layers", 2)
    else:
        with pytest.raises(QuantityError, match=r"layers is .*; expected a whole number of at least 2"):
            whole(number, "layers", 2)
