"""Compiles the catalog's TOML into the form that is read at run time. Run it after every change of data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from genai_hwreq.catalog._catalog import names_of
from genai_hwreq.catalog._compiled import encode
from genai_hwreq.catalog._load import KINDS
from genai_hwreq.catalog._schema import uncompiled

if TYPE_CHECKING:
    from collections.abc import Iterator

TARGET = Path(__file__).resolve().parent.parent / "src/genai_hwreq/catalog/data/compiled"


def compiled_files(kind: str) -> Iterator[tuple[str, str]]:
    """Yield the name and text of the two files of a kind: its records, a line each, and its names."""
    records = sorted(uncompiled(kind).items())
    lines = [json.dumps(encode(record), ensure_ascii=False, separators=(",", ":")) for _, record in records]
    yield f"{kind}.jsonl", "\n".join(lines) + "\n"
    names = {
        name: [key, line] for line, (key, record) in enumerate(records) for name in sorted(names_of(record))
    }
    yield (
        f"{kind}-names.json",
        json.dumps(names, ensure_ascii=False, separators=(",", ":"), sort_keys=True) + "\n",
    )


def main() -> None:
    """Write every file."""
    TARGET.mkdir(exist_ok=True)
    for kind in KINDS:
        for name, text in compiled_files(kind):
            (TARGET / name).write_text(text, encoding="utf-8")
            print(f"{name}: {len(text.encode()):,} bytes")


if __name__ == "__main__":
    main()
