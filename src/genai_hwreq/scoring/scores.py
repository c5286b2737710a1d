"""What scoring finds: a row for each case, groups by file, engine and metric.

Next: report.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from genai_hwreq.ranges import ByteRange
from genai_hwreq.scoring.cases import Case
from genai_hwreq.scoring.statistics import case_weights, relative_error, share, weighted_quantile

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Bounds", "Group", "Row", "Scores"]

_TOO_LOW = -0.05


@frozen(kw_only=True)
class Row:
    """One scored case and its answer."""

    file: str
    """Name of the file it stands in."""

    case: Case
    """The case."""

    answer: ByteRange | None
    """What was predicted, with its interval; `None` where it was declined."""

    declined: str | None = None
    """Why it was declined."""

    @property
    def error(self) -> float:
        """How far the prediction is off, as a share of the figure. Only for an answered row."""
        assert self.answer is not None
        measured = self.case.measured
        return relative_error(self.answer.likely, measured.value, measured.rounding)

    @property
    def inside(self) -> bool:
        """Whether the interval reaches the figure's rounding window. Only for an answered row."""
        assert self.answer is not None
        measured = self.case.measured
        return self.answer.low - measured.rounding <= measured.value <= self.answer.high + measured.rounding

    @property
    def width(self) -> float:
        """The interval's upper bound over its lower; a lower bound of nothing counts as one. Only if answered."""
        assert self.answer is not None
        return max(self.answer.high, 1) / max(self.answer.low, 1)

    @property
    def kept(self) -> bool:
        """Whether the prediction keeps a bound, rounding included. Only for an answered bound."""
        assert self.answer is not None
        measured = self.case.measured
        if measured.relation == "le":
            return self.answer.likely <= measured.value + measured.rounding
        return self.answer.likely >= measured.value - measured.rounding


@frozen(kw_only=True)
class Bounds:
    """Cases of which only a bound is known: they enter no error."""

    kept: int
    """Predictions that keep the bound."""

    broken: int
    """Predictions that break it."""

    declined: int
    """Bounds without a prediction."""


@frozen(kw_only=True)
class Group:
    """All scored cases of one file, engine and metric."""

    file: str
    """Name of the file."""

    engine: str
    """The program."""

    metric: str
    """What was counted."""

    rows: tuple[Row, ...] = field(repr=False)
    """Its rows, bounds included."""

    @cached_property
    def figures(self) -> tuple[Row, ...]:
        """Rows with a measured figure."""
        return tuple(row for row in self.rows if row.case.measured.relation == "eq")

    @cached_property
    def bounds(self) -> Bounds:
        """Rows with a bound, counted."""
        rows = [row for row in self.rows if row.case.measured.relation != "eq"]
        answered = [row for row in rows if row.answer is not None]
        kept = sum(row.kept for row in answered)
        return Bounds(kept=kept, broken=len(answered) - kept, declined=len(rows) - len(answered))

    @property
    def cases(self) -> int:
        """Number of figures."""
        return len(self.figures)

    @property
    def n_answered(self) -> int:
        """Number of figures that were predicted."""
        return len(self._answered[0])

    @property
    def answered(self) -> float | None:
        """Share predicted."""
        if not self.figures:
            return None
        return share((row.answer is not None for row in self.figures), self._weights)

    @property
    def median_abs_error(self) -> float | None:
        """Median of the errors' sizes."""
        return self._quantile(lambda row: abs(row.error), 0.5)

    @property
    def p90_abs_error(self) -> float | None:
        """90th percentile of the errors' sizes."""
        return self._quantile(lambda row: abs(row.error), 0.9)

    @property
    def median_error(self) -> float | None:
        """Median of the errors with their signs."""
        return self._quantile(lambda row: row.error, 0.5)

    @property
    def share_5pct_low(self) -> float | None:
        """Share predicted more than 5 % too low."""
        return self._share(lambda row: row.error < _TOO_LOW)

    @property
    def share_equal(self) -> float | None:
        """Share predicted without any error."""
        return self._share(lambda row: row.error == 0)

    @property
    def coverage(self) -> float | None:
        """Share of figures inside their interval."""
        return self._share(lambda row: row.inside)

    @property
    def median_width(self) -> float | None:
        """Median of the intervals' upper bound over the lower."""
        return self._quantile(lambda row: row.width, 0.5)

    @cached_property
    def _weights(self) -> list[float]:
        return case_weights([row.case.source for row in self.figures])

    @cached_property
    def _answered(self) -> tuple[tuple[Row, ...], tuple[float, ...]]:
        pairs = [pair for pair in zip(self.figures, self._weights, strict=True) if pair[0].answer is not None]
        return tuple(row for row, _ in pairs), tuple(weight for _, weight in pairs)

    def _quantile(self, of: Callable[[Row], float], fraction: float) -> float | None:
        rows, weights = self._answered
        return weighted_quantile([of(row) for row in rows], weights, fraction) if rows else None

    def _share(self, hit: Callable[[Row], bool]) -> float | None:
        rows, weights = self._answered
        return share((hit(row) for row in rows), weights) if rows else None


@frozen(kw_only=True)
class Scores:
    """All scored cases of one or several files."""

    rows: tuple[Row, ...] = field(repr=False)
    """A row for each, in the order of the files."""

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The rows by file, engine and metric."""
        groups: dict[tuple[str, str, str], list[Row]] = {}
        for row in self.rows:
            groups.setdefault((row.file, row.case.engine, row.case.measured.metric), []).append(row)
        return tuple(
            Group(file=file, engine=engine, metric=metric, rows=tuple(groups[file, engine, metric]))
            for file, engine, metric in sorted(groups)
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, ready for JSON."""
        from genai_hwreq.scoring import report  # noqa: PLC0415  (shown less often than made)

        return report.scores_dict(self)

    def __str__(self) -> str:
        """Show a table of the groups."""
        from genai_hwreq.scoring import report  # noqa: PLC0415

        return report.scores_text(self)
