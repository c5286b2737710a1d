"""Compiles the catalog's TOML into the form that is read at run time. Run it after every change of data."""

from __future__ import annotations

import json
from pathlib import Path

from genai_hwreq.catalog._catalog import names_of
from genai_hwreq.catalog._compiled import encode
from genai_hwreq.catalog._load import KINDS
from genai_hwreq.catalog._schema import uncompiled

TARGET = Path(__file__).resolve().parent.parent / "src/genai_hwreq/catalog/data/compiled"


def main() -> None:
    """Write one file of records and one of names for each kind."""
    TARGET.mkdir(exist_ok=True)
    for kind in KINDS:
        records = sorted(uncompiled(kind).items())
        lines = [json.dumps(encode(record), ensure_ascii=False, separators=(",", ":")) for _, record in records]
        names = {
            name: [key, line] for line, (key, record) in enumerate(records) for name in sorted(names_of(record))
        }
        (TARGET / f"{kind}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        text = json.dumps(names, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        (TARGET / f"{kind}-names.json").write_text(text + "\n", encoding="utf-8")
        print(f"{kind}: {len(records)} records, {len(names)} names")


if __name__ == "__main__":
    main()
