"""Scores files of measured cases and writes the tables of the accuracy page and of the README.

The files are not part of the repository. Run: python scripts/refresh_accuracy.py 2026-11-25 CASES.jsonl …
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from genai_hwreq._tables import markdown_table
from genai_hwreq.scoring import Group, score

if TYPE_CHECKING:
    from collections.abc import Iterable

    from genai_hwreq.scoring import Row

PROJECT = Path(__file__).resolve().parent.parent
HEADER = ("engine", "what was measured", "figures", "answered", "error, median", "90 % within")
IN_INTERVAL = "in interval"
RIGHT = frozenset(range(2, len(HEADER) + 1))

REPLAYED, MEASURED = "Programs replayed or asked, without a GPU", "Measured on real devices"


def kind_of(file: str) -> str:
    """Return the heading below which a file's figures stand."""
    return REPLAYED if file.startswith("truth_") else MEASURED


FEWEST_FIGURES = 30
"""Groups of fewer are left out of the README."""


def percent(value: float | None) -> str:
    """Show a share or an error; small ones with two digits, large ones without."""
    if value is None:
        return "-"
    return f"{100 * value:.2f} %" if value < 0.1 else f"{100 * value:.0f} %"


def merged(groups: Iterable[Group]) -> list[Group]:
    """Return the groups of each kind of file, engine and metric as one."""
    rows: dict[tuple[str, str, str], tuple[Row, ...]] = {}
    for group in groups:
        key = (kind_of(group.file), group.engine, group.metric)
        rows[key] = rows.get(key, ()) + group.rows
    found = [
        Group(file=kind, engine=engine, metric=metric, rows=rows[kind, engine, metric])
        for kind, engine, metric in sorted(rows)
    ]
    return [group for group in found if group.cases]


def cells(group: Group) -> tuple[str, ...]:
    """Return the cells of a group."""
    return (
        group.engine,
        f"`{group.metric}`",
        str(group.cases),
        percent(group.answered),
        percent(group.median_abs_error),
        percent(group.p90_abs_error),
    )


def measured_table(groups: Iterable[Group]) -> str:
    """Return a table with the share of figures that lie in their interval."""
    rows = [(*cells(group), percent(group.coverage)) for group in groups]
    return markdown_table((*HEADER, IN_INTERVAL), rows, RIGHT)


def replayed_table(groups: Iterable[Group]) -> str:
    """Return a table without it: what is exact has no interval."""
    return markdown_table(HEADER, [cells(group) for group in groups], RIGHT)


def long_tables(groups: list[Group]) -> str:
    """Return a table of what was answered and a line on what was not, by kind of file."""
    parts = []
    for kind, table in ((MEASURED, measured_table), (REPLAYED, replayed_table)):
        mine = [group for group in groups if group.file == kind]
        answered = [group for group in mine if group.n_answered]
        total = sum(group.cases for group in mine)
        silent = total - sum(group.n_answered for group in mine)
        unknown = sorted({group.engine for group in mine} - {group.engine for group in answered})
        line = f"Without an answer: {silent} of {total} figures."
        if unknown:
            line += f" No figure is answered of {', '.join(unknown)}."
        parts += [f"### {kind}", table(answered), line]
    return "\n\n".join(parts)


def short_table(groups: list[Group]) -> str:
    """Return the groups with many figures, most of which are answered."""
    large = [
        group for group in groups if group.cases >= FEWEST_FIGURES and 2 * group.n_answered > group.cases
    ]
    measured = measured_table(group for group in large if group.file == MEASURED)
    return f"{MEASURED}:\n\n{measured}"


def replace(path: Path, text: str) -> None:
    """Put a text between a page's markers."""
    page = path.read_text("utf-8")
    pattern = re.compile(r"(<!-- scores -->\n).*?(\n<!-- end -->)", re.DOTALL)
    path.write_text(pattern.sub(lambda match: f"{match[1]}\n{text}\n{match[2]}", page), "utf-8")


def main(as_of: str, paths: list[str]) -> None:
    """Score and write."""
    groups = merged(score(paths).groups)
    replace(PROJECT / "docs/explanation/accuracy.md", f"Scored on {as_of}.\n\n{long_tables(groups)}")
    replace(PROJECT / "README.md", f"Scored on {as_of}. {short_table(groups)}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
