"""Runs the `>>>` examples of Markdown files, and their generated parts, and writes what they print now.

Look at the difference before keeping it.

Run: python scripts/refresh_examples.py README.md docs/**/*.md
"""

from __future__ import annotations

import contextlib
import doctest
import io
import re
import sys
import traceback
from pathlib import Path
from typing import Any

from genai_hwreq import recommendation_table
from genai_hwreq.engines import ENGINES

BLOCK = re.compile(
    r"(?:(?<=```python\n)|(?<=```pycon\n)).*?(?=```)|(?<=invisible-code-block: python\n).*?(?=-->)", re.DOTALL
)
GENERATED = re.compile(r"(<!-- generated: (\S+) -->\n).*?(\n<!-- end -->)", re.DOTALL)
"""`<!-- generated: NAME -->` … `<!-- end -->`."""


def engines() -> str:
    """Return a directive of the reference for every engine."""
    return "\n\n".join(f"::: genai_hwreq.engines.{target.replace(':', '.')}" for target in ENGINES.values())


def recommendations() -> str:
    """Return the recommendation table and its policy."""
    return recommendation_table()._repr_markdown_()


GENERATORS = {"engines": engines, "recommendation-table": recommendations}
"""Name of a generated part → what writes it."""


def with_generated(text: str) -> str:
    """Return a document with its generated parts renewed."""
    return GENERATED.sub(lambda match: f"{match[1]}\n{GENERATORS[match[2]]()}\n{match[3]}", text)


def shown(source: str, namespace: dict[str, Any]) -> str:
    """Run one example and return what a session would show."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            exec(compile(source, "<example>", "single"), namespace)
        except Exception as error:
            last = "".join(traceback.format_exception_only(error))
            print(f"Traceback (most recent call last):\n  ...\n{last}", end="")
    return re.sub(r"^(?=\n)", "<BLANKLINE>", out.getvalue(), flags=re.MULTILINE)


def refreshed(block: str, namespace: dict[str, Any]) -> str:
    """Return a block with its outputs renewed; a block without prompts is run for what it defines."""
    parsed = doctest.DocTestParser().parse(block)
    examples = [part for part in parsed if isinstance(part, doctest.Example)]
    if not examples:
        exec(compile(block, "<example>", "exec"), namespace)
        return block
    parts = []
    for part in parsed:
        if isinstance(part, str):
            parts.append(part)
            continue
        first, *rest = part.source.rstrip("\n").split("\n")
        prompts = [f">>> {first}", *(f"... {line}".rstrip() for line in rest)]
        parts.append("\n".join(prompts) + "\n" + shown(part.source, namespace))
    return "".join(parts)


def refreshed_document(text: str) -> str:
    """Return a document with its generated parts and the outputs of its examples renewed."""
    namespace: dict[str, Any] = {}
    return BLOCK.sub(lambda match: refreshed(match[0], namespace), with_generated(text))


def main(paths: list[str]) -> None:
    """Renew every file."""
    for path in map(Path, paths):
        old = path.read_text("utf-8")
        new = refreshed_document(old)
        if new != old:
            path.write_text(new, "utf-8")
            print(f"renewed {path}")


if __name__ == "__main__":
    main(sys.argv[1:])
