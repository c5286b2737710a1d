"""Groups of scored cases."""

from __future__ import annotations

import json

import pytest

from genai_hwreq.scoring.report import rows_text
from genai_hwreq.scoring.scores import Bounds, Group, Row, Scores
from scoring_stubs import row


def group(*rows: Row) -> Group:
    """Make the one group of some rows."""
    (only,) = Scores(rows=rows).groups
    return only


def test_a_group_by_hand() -> None:
    """Three cases of one source weigh alike: errors −10 %, 0 and +20 %."""
    scored = group(row(90), row(103, rounding=3), row(120, span=(100, 150)))

    assert scored.cases == 3
    assert scored.answered == pytest.approx(1)
    assert scored.median_abs_error == pytest.approx(0.1)
    assert scored.median_error == pytest.approx(0)
    assert scored.p90_abs_error == pytest.approx(0.2)
    assert scored.share_5pct_low == pytest.approx(1 / 3)
    assert scored.share_equal == pytest.approx(1 / 3)
    assert scored.coverage == pytest.approx(2 / 3)
    assert scored.median_width == pytest.approx(1)


def test_weights_come_from_the_cases_never_from_what_was_answered() -> None:
    """A source of ten cases weighs 1 and one of one case 1/5, whichever are declined."""
    rows = [row(None, source="long")] * 9 + [row(150, source="long"), row(100, source="short")]
    scored = group(*rows)

    assert scored.n_answered == 2
    assert scored.answered == pytest.approx((0.1 + 0.2) / 1.2)
    assert scored.share_equal == pytest.approx(2 / 3)


def test_bounds_are_counted_apart() -> None:
    """A bound enters no error; it is kept or broken, its rounding included."""
    scored = group(
        row(100, relation="le"),
        row(105, rounding=5, relation="le"),
        row(106, rounding=5, relation="le"),
        row(95, rounding=5, relation="ge"),
        row(94, rounding=5, relation="ge"),
        row(None, relation="ge"),
    )

    assert scored.bounds == Bounds(kept=3, broken=2, declined=1)
    assert scored.cases == 0
    assert scored.answered is None
    assert scored.median_abs_error is None
    assert scored.coverage is None


def test_a_declined_case_has_no_error() -> None:
    """It counts against the share answered alone."""
    scored = group(row(None), row(100))

    assert scored.answered == pytest.approx(0.5)
    assert scored.median_abs_error == pytest.approx(0)


@pytest.mark.parametrize(
    ("inside", "span", "rounding"),
    [(True, (100, 120), 0), (False, (101, 120), 0), (True, (101, 120), 1), (False, (80, 99), 0)],
)
def test_coverage_allows_for_rounding(inside: bool, span: tuple[int, int], rounding: int) -> None:
    """A figure is inside when its rounding window meets the interval."""
    assert inside is row(span[1], rounding=rounding, span=span).inside


def test_an_interval_from_nothing_has_a_width() -> None:
    """A lower bound of nothing counts as one byte."""
    assert row(5, span=(0, 10)).width == pytest.approx(10)


def test_a_table_has_a_line_a_group_and_says_why_cases_are_left_out() -> None:
    """Columns are those of the format; reasons are counted."""
    text = str(Scores(rows=(row(90), row(None), row(100, relation="le"))))

    header, _, line, *rest = text.splitlines()
    assert header.split() == [
        "file",
        "engine",
        "metric",
        "cases",
        "answered",
        "|error|",
        "median",
        "p90",
        "error",
        "median",
        "5%",
        "low",
        "equal",
        "coverage",
        "width",
        "bounds",
        "kept",
    ]
    assert line.split()[:5] == ["f", "transformers", "weights", "2", "50.00"]
    assert line.endswith("1 of 1")
    assert rest == ["", "declined:", "     1  no reason"]


def test_a_table_without_figures_has_dashes() -> None:
    """No figure, no statistic."""
    text = str(Scores(rows=(row(100, relation="le"),)))

    assert text.splitlines()[-1].split()[3:] == ["0", *["-"] * 8, "1", "of", "1"]


def test_rare_reasons_are_summed_up() -> None:
    """The twelve commonest reasons are listed."""
    rows = tuple(
        Row(file="f", case=row(None).case, answer=None, declined=f"reason {number}") for number in range(15)
    )

    assert str(Scores(rows=rows)).splitlines()[-1] == "     3  other reasons"


def test_every_case_can_be_shown_the_worst_first() -> None:
    """Largest errors come first, declined cases last, bounds with their sign."""
    lines = rows_text(Scores(rows=(row(None), row(101), row(50), row(1, relation="ge")))).splitlines()[2:]

    assert lines[0].split()[-4:] == ["≥", "100", "1", "broken"]
    assert lines[1].endswith("-50.00 %")
    assert lines[2].endswith("+1.00 %")
    assert lines[3].endswith("declined: no reason")


def test_scores_are_plain_data() -> None:
    """Groups and rows go through JSON whole."""
    scores = Scores(rows=(row(90, span=(80, 95)), row(None), row(90, relation="le")))
    data = json.loads(json.dumps(scores.to_dict()))

    (only,) = data["groups"]
    assert only["cases"] == 2
    assert only["n_answered"] == 1
    assert only["answered"] == 0.5
    assert only["median_abs_error"] == 0.1
    assert only["bounds"] == {"kept": 1, "broken": 0, "declined": 0}
    first, second, third = data["rows"]
    assert (first["predicted"], first["low"], first["high"], first["error"]) == (90, 80, 95, -0.1)
    assert first["declined"] is None
    assert (second["predicted"], second["declined"]) == (None, "no reason")
    assert third["error"] is None
