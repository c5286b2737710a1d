"""Tables of text, Markdown and HTML."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from genai_hwreq._tables import html_table, markdown_table, text_table

HEADER = ("part", "size")
ROWS = [("weights", "3.5 GiB"), ("a|b", "<1>")]
CELLS = st.text("ab|<>&é0", min_size=1, max_size=8)


def test_text() -> None:
    """Columns are as wide as their widest cell; numbers stand right."""
    expected = ["part        size", "-------  -------", "weights  3.5 GiB", "a|b          <1>"]
    assert expected == text_table(HEADER, ROWS, frozenset({1})).splitlines()


def test_markdown_escapes_bars() -> None:
    """A bar inside a cell does not end it."""
    expected = ["| part | size |", "| --- | ---: |", "| weights | 3.5 GiB |", "| a\\|b | <1> |"]
    assert expected == markdown_table(HEADER, ROWS, frozenset({1})).splitlines()


def test_html_escapes_text_and_draws_bars() -> None:
    """Text is escaped; a share draws a bar, none leaves its cell empty, and so does a missing one."""
    text = html_table(HEADER, [*ROWS, ("c", "2")], frozenset({1}), (0.5, None))
    assert "&lt;1&gt;" in text
    assert text.count("width:80px") == 1
    assert text.count("<td></td>") == 2
    assert text.count("<th></th>") == 1


def test_html_without_shares() -> None:
    """Without shares there is no column of bars."""
    text = html_table(HEADER, ROWS)
    assert "<th></th>" not in text
    assert text.count("<td ") == 4


@pytest.mark.property
@given(st.lists(st.tuples(CELLS, CELLS), max_size=4))
def test_every_cell_is_shown(rows: list[tuple[str, str]]) -> None:
    """No cell is lost or cut."""
    lines = text_table(HEADER, rows, frozenset({1})).splitlines()
    assert len(rows) + 2 == len(lines)
    for row, line in zip(rows, lines[2:], strict=True):
        assert row[0] in line
        assert row[1] in line
