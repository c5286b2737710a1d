"""Rows of text as plain, Markdown or HTML tables. It knows labels and strings only."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["html_table", "markdown_table", "text_table"]


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]], right: frozenset[int] = frozenset()) -> str:
    """Lay out rows under a header; columns in `right` are aligned to the right.

    Examples:
        >>> print(text_table(["part", "size"], [["weights", "3.5 GiB"]], frozenset({1})))
        part        size
        -------  -------
        weights  3.5 GiB

    """
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]

    def line(row: Sequence[str]) -> str:
        cells = (
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        return "  ".join(cells).rstrip()

    return "\n".join([line(header), "  ".join("-" * width for width in widths), *(line(row) for row in rows)])


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]], right: frozenset[int] = frozenset()) -> str:
    """Write the same table in Markdown.

    Examples:
        >>> print(markdown_table(["part", "size"], [["weights", "3.5 GiB"]], frozenset({1})))
        | part | size |
        | --- | ---: |
        | weights | 3.5 GiB |

    """
    ruler = ["---:" if i in right else "---" for i in range(len(header))]
    lines = [header, ruler, *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in lines)


def html_table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    right: frozenset[int] = frozenset(),
    shares: Sequence[float | None] = (),
) -> str:
    """Write the same table in HTML, readable on light and dark pages; `shares` (0 to 1) draw a bar a row."""
    from html import escape  # noqa: PLC0415  (notebooks only)

    def cell(tag: str, text: str, i: int) -> str:
        side = "right;white-space:nowrap" if i in right else "left"
        return f'<{tag} style="text-align:{side};padding:2px 10px">{escape(text)}</{tag}>'

    head = "".join(cell("th", text, i) for i, text in enumerate(header))
    body = []
    for number, row in enumerate(rows):
        cells = "".join(cell("td", text, i) for i, text in enumerate(row))
        share = shares[number] if number < len(shares) else None
        body.append(f"<tr>{cells}{_bar(share) if shares else ''}</tr>")
    if shares:
        head += "<th></th>"
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"


def _bar(share: float | None) -> str:
    if share is None:
        return "<td></td>"
    style = f"display:inline-block;height:0.8em;width:{round(160 * share)}px;background:#3f7fbf;border-radius:2px"
    return f'<td style="padding:2px 10px"><span style="{style}"></span></td>'
