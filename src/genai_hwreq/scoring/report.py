"""How scores are shown: text tables and plain data."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from genai_hwreq._tables import text_table

if TYPE_CHECKING:
    from genai_hwreq.scoring.scores import Group, Row, Scores

__all__ = ["STATISTICS", "rows_text", "scores_dict", "scores_text"]

STATISTICS = (
    "answered",
    "median_abs_error",
    "p90_abs_error",
    "median_error",
    "share_5pct_low",
    "share_equal",
    "coverage",
)
"""Statistics of a group that are shares, in the order they are shown."""

_HEADER = ("file", "engine", "metric", "cases", "answered", "|error| median", "p90", "error median", "5% low")
_MORE = ("equal", "coverage", "width", "bounds kept")
_N_REASONS = 12


def scores_text(scores: Scores) -> str:
    """Return a table of the groups, and the commonest reasons for cases left out."""
    header = (*_HEADER, *_MORE)
    table = text_table(
        header, [_group_row(group) for group in scores.groups], frozenset(range(3, len(header)))
    )
    return "\n".join([table, *_reasons(scores)])


def _group_row(group: Group) -> tuple[str, ...]:
    shares = (_percent(getattr(group, name), signed=name == "median_error") for name in STATISTICS)
    width = "-" if group.median_width is None else f"{group.median_width:.2f}"
    return (group.file, group.engine, group.metric, str(group.cases), *shares, width, _bounds(group))


def _percent(value: float | None, *, signed: bool = False) -> str:
    if value is None:
        return "-"
    return f"{100 * value:+.2f} %" if signed else f"{100 * value:.2f} %"


def _bounds(group: Group) -> str:
    bounds = group.bounds
    total = bounds.kept + bounds.broken + bounds.declined
    return f"{bounds.kept} of {total}" if total else "-"


def _reasons(scores: Scores) -> list[str]:
    reasons = Counter(row.declined for row in scores.rows if row.declined is not None)
    lines = [f"{number:6}  {reason}" for reason, number in reasons.most_common(_N_REASONS)]
    rest = sum(reasons.values()) - sum(number for _, number in reasons.most_common(_N_REASONS))
    if rest:
        lines.append(f"{rest:6}  other reasons")
    return ["", "declined:", *lines] if lines else []


def rows_text(scores: Scores) -> str:
    """Return a table of every case, the worst first, those that were declined last."""
    ordered = sorted(scores.rows, key=_badness)
    cells = [_case_row(row) for row in ordered]
    return text_table(
        ("id", "engine", "metric", "measured", "predicted", "error"), cells, frozenset({3, 4, 5})
    )


def _badness(row: Row) -> float:
    return 1 if row.answer is None else -abs(row.error)


def _case_row(row: Row) -> tuple[str, ...]:
    case = row.case
    start = (case.id, case.engine, case.measured.metric, _figure(row))
    if row.answer is None:
        return (*start, "-", f"declined: {row.declined}")
    if case.measured.relation != "eq":
        return (*start, f"{row.answer.likely:,}", "kept" if row.kept else "broken")
    return (*start, f"{row.answer.likely:,}", _percent(row.error, signed=True))


def _figure(row: Row) -> str:
    sign = {"eq": "", "le": "≤ ", "ge": "≥ "}[row.case.measured.relation]
    return f"{sign}{row.case.measured.value:,}"


def scores_dict(scores: Scores) -> dict[str, Any]:
    """Return groups and rows as plain data."""
    return {
        "groups": [_group_dict(group) for group in scores.groups],
        "rows": [_row_dict(row) for row in scores.rows],
    }


def _group_dict(group: Group) -> dict[str, Any]:
    bounds = group.bounds
    return {
        "file": group.file,
        "engine": group.engine,
        "metric": group.metric,
        "cases": group.cases,
        "n_answered": group.n_answered,
        **{name: getattr(group, name) for name in STATISTICS},
        "median_width": group.median_width,
        "bounds": {"kept": bounds.kept, "broken": bounds.broken, "declined": bounds.declined},
    }


def _row_dict(row: Row) -> dict[str, Any]:
    case, answer = row.case, row.answer
    facts: dict[str, Any] = {
        "file": row.file,
        "id": case.id,
        "engine": case.engine,
        "metric": case.measured.metric,
        "source": case.source,
        "relation": case.measured.relation,
        "measured": case.measured.value,
        "rounding": case.measured.rounding,
    }
    if answer is None:
        return facts | {"predicted": None, "low": None, "high": None, "error": None, "declined": row.declined}
    error = row.error if case.measured.relation == "eq" else None
    span = {"predicted": answer.likely, "low": answer.low, "high": answer.high}
    return facts | span | {"error": error, "declined": None}
