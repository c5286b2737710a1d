"""Statistics of weighted figures."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, strategies as st

from genai_hwreq.errors import QuantityError
from genai_hwreq.scoring.statistics import case_weights, relative_error, share, weighted_quantile

figures = st.lists(st.tuples(st.integers(-1000, 1000), st.integers(1, 20)), min_size=1, max_size=12)
distinct = st.lists(
    st.tuples(st.integers(-1000, 1000), st.integers(1, 20)),
    min_size=1,
    max_size=12,
    unique_by=lambda pair: pair[0],
)
fractions = st.floats(0, 1)


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=40))
def test_a_source_weighs_a_fifth_of_its_cases_and_at_most_one(sources: list[str]) -> None:
    """The weights of a source's cases add up to min(n, 5) / 5 and are equal."""
    weights = case_weights(sources)

    for source in set(sources):
        mine = [weight for weight, name in zip(weights, sources, strict=True) if name == source]
        assert sum(mine) == pytest.approx(min(len(mine), 5) / 5)
        assert len(set(mine)) == 1


@pytest.mark.parametrize(
    ("expected", "predicted", "measured", "rounding"),
    [
        (0.0, 110, 100, 10),
        (0.11, 111, 100, 10),
        (0.0, 90, 100, 10),
        (-0.11, 89, 100, 10),
        (-1.0, 0, 100, 0),
        (0.0, 100, 100, 0),
    ],
)
def test_an_error_inside_the_rounding_is_none(
    expected: float, predicted: int, measured: int, rounding: int
) -> None:
    """An error counts in full as soon as it leaves the rounding window, and not at all inside it."""
    assert expected == pytest.approx(relative_error(predicted, measured, rounding))


@pytest.mark.parametrize(
    ("expected", "values", "weights", "fraction"),
    [
        (7.0, [7], [3], 0.5),  # one value is every quantile
        (7.0, [7], [3], 0.9),
        (2.0, [4, 1, 2], [1, 1, 1], 0.5),  # centres at 0.5, 1.5, 2.5; the middle is 1.5
        (5.0, [0, 10], [1, 1], 0.5),  # centres at 0.5 and 1.5; the middle, 1, lies halfway
        (7.5, [0, 10], [1, 3], 0.5),  # centres at 0.5 and 2.5; the middle, 2, three quarters on
        (10.0, [0, 10], [1, 3], 0.9),  # 3.6 lies behind the last centre
        (0.0, [0, 10], [3, 1], 0.1),  # 0.4 lies before the first one
        (3.6, [0, 1, 2, 3, 4], [1, 1, 1, 1, 1], 0.82),  # 4.1 of 5: centres at 3.5 (value 3) and 4.5 (value 4)
    ],
)
def test_quantiles_by_hand(
    expected: float, values: list[float], weights: list[float], fraction: float
) -> None:
    """A quantile is linear between the centres of the values' weights and level outside them."""
    assert expected == pytest.approx(weighted_quantile(values, weights, fraction))


@given(figures, fractions, fractions)
def test_quantiles_rise_and_stay_inside(pairs: list[tuple[int, int]], one: float, two: float) -> None:
    """A larger fraction never gives a smaller quantile, and none lies outside the values."""
    values, weights = [value for value, _ in pairs], [weight for _, weight in pairs]
    low, high = sorted((one, two))
    first, second = weighted_quantile(values, weights, low), weighted_quantile(values, weights, high)

    assert first <= second + 1e-9
    assert min(values) - 1e-9 <= first
    assert second <= max(values) + 1e-9


@given(distinct, fractions)
def test_quantiles_mirror(pairs: list[tuple[int, int]], fraction: float) -> None:
    """The quantile of the negated values is the negated opposite quantile, where no two are equal."""
    values, weights = [value for value, _ in pairs], [weight for _, weight in pairs]

    mirrored = -weighted_quantile([-value for value in values], weights, 1 - fraction)
    assert mirrored == pytest.approx(weighted_quantile(values, weights, fraction), abs=1e-6)


@given(figures, fractions, st.integers(1, 9))
def test_only_the_ratio_of_weights_counts(pairs: list[tuple[int, int]], fraction: float, factor: int) -> None:
    """Quantiles and shares stay when all weights grow by one factor."""
    values, weights = [value for value, _ in pairs], [weight for _, weight in pairs]
    grown = [factor * weight for weight in weights]

    assert weighted_quantile(values, weights, fraction) == pytest.approx(
        weighted_quantile(values, grown, fraction), abs=1e-6
    )
    hits = [value > 0 for value in values]
    assert share(hits, weights) == pytest.approx(share(hits, grown))


@given(figures)
def test_a_share_and_its_complement_make_a_whole(pairs: list[tuple[int, int]]) -> None:
    """Weighted hits over all weights, checked exactly in fractions."""
    hits, weights = [value > 0 for value, _ in pairs], [weight for _, weight in pairs]

    exact = Fraction(sum(weight for value, weight in pairs if value > 0), sum(weights))
    assert share(hits, weights) == pytest.approx(float(exact))
    assert share(hits, weights) + share([not hit for hit in hits], weights) == pytest.approx(1)


@pytest.mark.parametrize(("values", "weights"), [([], []), ([1.0], []), ([1.0], [1.0, 1.0])])
def test_values_without_weights_are_refused(values: list[float], weights: list[float]) -> None:
    """There is no quantile of nothing, and every value needs one weight."""
    with pytest.raises(QuantityError, match="values and"):
        weighted_quantile(values, weights, 0.5)
