"""Small attrs validators that name the value, what was expected and where.

Next: provenance.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from genai_hwreq.errors import QuantityError

if TYPE_CHECKING:
    from collections.abc import Callable

    from attrs import Attribute

__all__ = [
    "count",
    "fraction",
    "month",
    "non_empty",
    "one_of",
    "optional_fraction",
    "optional_positive",
    "optional_shares",
    "positive",
    "slug",
    "whole",
]


def whole(value: object, name: str, minimum: int) -> int:
    """Return `value` when it is an `int` of at least `minimum`; a bool or float is refused."""
    if type(value) is int and value >= minimum:
        return value
    wanted = "a whole number above zero" if minimum == 1 else f"a whole number of at least {minimum}"
    msg = f"{name} is {value!r}; expected {wanted}"
    raise QuantityError(msg)


def positive(instance: object, attribute: Attribute[Any], value: object) -> None:
    """Accept whole numbers from one."""
    if type(value) is not int or value < 1:
        whole(value, _where(instance, attribute), 1)


def count(instance: object, attribute: Attribute[Any], value: object) -> None:
    """Accept whole numbers from zero."""
    if type(value) is not int or value < 0:
        whole(value, _where(instance, attribute), 0)


def optional_positive(instance: object, attribute: Attribute[Any], value: object) -> None:
    """Accept `None` (not known) and whole numbers from one."""
    if value is not None:
        positive(instance, attribute, value)


def optional_shares(instance: object, attribute: Attribute[Any], value: object) -> None:
    """Accept `None` (equal) and tuples of whole numbers from zero that are not all zero."""
    if value is None:
        return
    where = _where(instance, attribute)
    shares = [whole(share, where, 0) for share in value] if isinstance(value, tuple) else []
    if not any(shares):
        msg = f"{where} is {value!r}; expected a share for each device, such as (3, 1)"
        raise QuantityError(msg)


def fraction(instance: object, attribute: Attribute[Any], value: object) -> None:
    """Accept numbers from zero to one."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        msg = f"{_where(instance, attribute)} is {value!r}; expected a share between 0 and 1"
        raise QuantityError(msg)


def optional_fraction(instance: object, attribute: Attribute[Any], value: object) -> None:
    """Accept `None` (not known) and numbers from zero to one."""
    if value is not None:
        fraction(instance, attribute, value)


def non_empty(instance: object, attribute: Attribute[Any], value: object) -> None:
    """Accept text and tuples that hold something."""
    if not value:
        msg = f"{_where(instance, attribute)} is empty; expected at least one"
        raise QuantityError(msg)


def slug(instance: object, attribute: Attribute[Any], value: object) -> None:
    """Accept lower-case letters and digits in groups joined by single hyphens."""
    if not isinstance(value, str) or not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", value):
        msg = f"{_where(instance, attribute)} is {value!r}; expected a lower-case name such as 'rtx-4090'"
        raise QuantityError(msg)


def month(instance: object, attribute: Attribute[Any], value: object) -> None:
    """Accept `None` (not known) and a month written `YYYY-MM`."""
    if value is not None and not (isinstance(value, str) and re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", value)):
        msg = f"{_where(instance, attribute)} is {value!r}; expected a month such as '2024-06'"
        raise QuantityError(msg)


def one_of(*choices: str) -> Callable[[object, Attribute[Any], object], None]:
    """Make a validator that accepts the given words only."""

    def validate(instance: object, attribute: Attribute[Any], value: object) -> None:
        if value not in choices:
            known = ", ".join(repr(choice) for choice in choices)
            msg = f"{_where(instance, attribute)} is {value!r}; expected one of {known}"
            raise QuantityError(msg)

    return validate


def _where(instance: object, attribute: Attribute[Any]) -> str:
    return f"{type(instance).__name__}.{attribute.name}"
