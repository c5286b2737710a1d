"""Statistics of weighted figures: no source decides a result by the length of its table.

Next: scores.
"""

from __future__ import annotations

from collections import Counter
from itertools import accumulate
from typing import TYPE_CHECKING

from genai_hwreq.errors import QuantityError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["MAX_SOURCE_CASES", "case_weights", "relative_error", "share", "weighted_quantile"]

MAX_SOURCE_CASES = 5
"""From this many cases on a source weighs the same."""


def case_weights(sources: Sequence[str]) -> list[float]:
    """Return the weight of each case of a group from its source.

    A source with n cases weighs min(n, 5) / 5, shared equally by its cases.

    Examples:
        >>> case_weights(["a", "b", "b"])
        [0.2, 0.2, 0.2]
        >>> case_weights(["a"] * 10)[0]
        0.1

    """
    n_cases = Counter(sources)
    return [min(n_cases[source], MAX_SOURCE_CASES) / MAX_SOURCE_CASES / n_cases[source] for source in sources]


def relative_error(predicted: int, measured: int, rounding: int) -> float:
    """Return how far a prediction is off, as a share of the figure; inside its rounding it is not off at all.

    Examples:
        >>> relative_error(110, 100, 0), relative_error(110, 100, 10)
        (0.1, 0.0)

    """
    return 0.0 if abs(predicted - measured) <= rounding else (predicted - measured) / measured


def weighted_quantile(values: Sequence[float], weights: Sequence[float], fraction: float) -> float:
    """Return a quantile, linear between the centres of the values' weights.

    Each value stands at the centre of its weight on a line as long as all weights together; before the first
    centre and behind the last one the line is level.

    Args:
        values: the figures.
        weights: the weight of each, above zero.
        fraction: 0.5 for the median.

    Raises:
        QuantityError: when there are no values, or not as many weights.

    Examples:
        >>> weighted_quantile([1, 2, 4], [1, 1, 1], 0.5)
        2.0
        >>> weighted_quantile([0, 10], [1, 3], 0.5)  # centres at 0.5 and 2.5, the middle at 2
        7.5

    """
    if not values or len(values) != len(weights):
        msg = f"{len(values)} values and {len(weights)} weights; expected as many, and one at least"
        raise QuantityError(msg)
    pairs = sorted(zip(values, weights, strict=True))
    ends = list(accumulate(weight for _, weight in pairs))
    centres = [end - weight / 2 for end, (_, weight) in zip(ends, pairs, strict=True)]
    return _interpolated(centres, [float(value) for value, _ in pairs], fraction * ends[-1])


def _interpolated(places: Sequence[float], values: Sequence[float], place: float) -> float:
    if place <= places[0]:
        return values[0]
    for i in range(1, len(places)):
        if place <= places[i]:
            part = (place - places[i - 1]) / (places[i] - places[i - 1])
            return values[i - 1] + part * (values[i] - values[i - 1])
    return values[-1]


def share(hits: Iterable[bool], weights: Sequence[float]) -> float:
    """Return the weighted share of hits.

    Examples:
        >>> share([True, False], [3, 1])
        0.75

    """
    return sum(weight for hit, weight in zip(hits, weights, strict=True) if hit) / sum(weights)
