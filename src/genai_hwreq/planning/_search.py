"""Search for the largest size that holds, where holding ends once and for all."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["largest"]


def largest(holds: Callable[[int], bool], least: int, most: int) -> int:
    """Return the largest size from `least` to `most` that holds, zero if not even the least does.

    Examples:
        >>> largest(lambda size: size * size <= 50, 1, 100)
        7
        >>> largest(lambda size: size > 9, 1, 5)
        0

    """
    if most < least or not holds(least):
        return 0
    if holds(most):
        return most
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (middle, most) if holds(middle) else (least, middle)
    return least
